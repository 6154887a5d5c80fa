import { logRange, logTicks, paddedRange, roundTicks, tickText } from '../chart/axis-ticks.js';
import { isWide, noValues, widen } from '../chart/value-span.js';

/** An axis of values: its ends, how it is divided, and where it is labelled. */
export interface ValueAxis {
  readonly domain: readonly [number, number];
  readonly scale: { readonly type: 'linear' | 'log' | 'symlog'; readonly constant?: number; readonly zero?: false };
  readonly ticks: readonly number[];
}

/**
 * The axis that shows these values, of logarithms where they lie far apart; where some of them are 0 as well, 0 has a place of its own.
 * What is not finite is not on it.
 *
 * @param marks what must lie on it too, but does not choose between its kinds: ends of intervals.
 * @param ticks how many there are at least.
 */
export function valueAxis(values: Iterable<number>, marks: Iterable<number>, ticks: number): ValueAxis {
  const span = noValues();
  let hasZero = false;
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const stretch = (value: number) => {
    if (Number.isFinite(value)) {
      [least, most] = [Math.min(least, value), Math.max(most, value)];
    }
  };
  for (const value of values) {
    widen(span, value);
    stretch(value);
    hasZero ||= value === 0;
  }
  const isLog = isWide(span) && most > 0;
  const lowest = span.least;
  for (const mark of marks) {
    // On an axis of logarithms, an interval that reaches to 0 ends at the foot.
    if (!isLog || hasZero || mark >= lowest / 10) {
      stretch(mark);
    }
  }
  if (least > most) {
    return { domain: [0, 1], scale: { type: 'linear', zero: false }, ticks: [] };
  }
  if (!isLog) {
    const domain = paddedRange(least, most);
    return { domain, scale: { type: 'linear', zero: false }, ticks: roundTicks(...domain, ticks) };
  }
  const [from, to] = logRange(hasZero ? lowest : least, most);
  const labels = logTicks(from, to, ticks);
  return hasZero
    ? { domain: [0, to], scale: { type: 'symlog', constant: lowest }, ticks: [0, ...labels] }
    : { domain: [from, to], scale: { type: 'log' }, ticks: labels };
}

/** How Vega-Lite labels it: at its ticks, in few digits. */
export function axisLabels({ ticks }: ValueAxis): { readonly values: number[]; readonly labelExpr: string } {
  const labels = Object.fromEntries(ticks.map((tick) => [String(tick), tickText(tick)]));
  return { values: [...ticks], labelExpr: `${JSON.stringify(labels)}['' + datum.value]` };
}
