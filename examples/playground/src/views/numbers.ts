import type { SharpnessReading } from 'tfjs-sharpness';

/** Three digits, or as many as asked for, and never an exponent where there is room for the number. */
export function short(value: number, digits = 3): string {
  if (!Number.isFinite(value)) {
    return String(value);
  }
  if (value !== 0 && (Math.abs(value) >= 1e9 || Math.abs(value) < 1e-3)) {
    return value.toExponential(1).replace('e+', 'e');
  }
  return Number(value.toPrecision(digits)).toLocaleString('en', { maximumSignificantDigits: digits });
}

export const percent = (share: number): string => (Number.isFinite(share) ? `${(100 * share).toFixed(1)}%` : '–');

/**
 * What is to be said behind a value of Minimum Sharpness: half its 95% interval, and what makes it doubtful.
 *
 * @param half that of the chart below.
 */
export function sharpnessRemarks(
  { reliable, collapsed }: Pick<SharpnessReading, 'reliable' | 'collapsed'>,
  half: number,
): string {
  const hasError = half > 0;
  return [
    hasError ? `± ${short(half, 2)}` : '',
    hasError && !reliable ? 'error not reliable' : '',
    collapsed ? 'the network has collapsed' : '',
  ]
    .filter((remark) => remark !== '')
    .join(', ');
}
