/** A logarithmic axis for bars: from `least`, a power of ten, over `count` decades. */
export interface Decades {
  readonly least: number;
  readonly count: number;
  /** Where it is marked, in decades from its left end: every second one, or fewer where there are many. */
  readonly marks: readonly number[];
}

/** Powers of ten that bars have room for at least: a factor of 1000 multiplies a trace by 10^6 at most. */
const LEAST_COUNT = 8;

/** An axis for all those values that have a place on one; `before` come first, so that it stays where only what comes after changes. */
export function decadesOf(before: readonly number[], after: readonly number[]): Decades {
  const logs = (values: readonly number[]) =>
    values.filter((value) => value > 0 && Number.isFinite(value)).map((value) => Math.log10(value));
  const [first, all] = [logs(before), logs([...before, ...after])];
  if (all.length === 0) {
    return { least: 1, count: LEAST_COUNT, marks: [] };
  }
  const from = Math.floor(Math.min(...(first.length > 0 ? first : all)) - 0.5);
  const count = Math.max(LEAST_COUNT, 2 * Math.ceil((Math.max(...all) - from) / 2));
  const apart = 2 * Math.ceil(count / 2 / 5);
  const marks = Array.from({ length: Math.floor(count / apart) + 1 }, (_, i) => apart * i);
  return { least: 10 ** from, count, marks };
}

/** Length of the bar of a value, as a share of the axis; 0 for what has no place on it. */
export function shareOf({ least, count }: Decades, value: number): number {
  return value > 0 ? Math.max(0, Math.min(1, Math.log10(value / least) / count)) : 0;
}
