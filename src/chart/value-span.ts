/** What values an axis has to show. */
export interface ValueSpan {
  /** Of those above 0. */
  least: number;
  most: number;
  isNegative: boolean;
}

/** Values further apart get a logarithmic axis. */
const FAR_APART = 20;

/** No value yet. */
export const noValues = (): ValueSpan => ({ least: Number.POSITIVE_INFINITY, most: 0, isNegative: false });

/** Takes one more value in; what is not finite is not on the axis. */
export function widen(span: ValueSpan, value: number): void {
  if (Number.isFinite(value)) {
    span.isNegative ||= value < 0;
    if (value > 0) {
      span.least = Math.min(span.least, value);
      span.most = Math.max(span.most, value);
    }
  }
}

/** Whether the values are far apart, and none is below 0. */
export const isWide = ({ least, most, isNegative }: ValueSpan): boolean => !isNegative && most > FAR_APART * least;
