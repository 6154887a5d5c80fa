/**
 * How often the callback takes a reading: after every k-th epoch or after every k-th batch, counted over all fits that it
 * serves. Batches are counted from `initialStep`, so a resumed run goes on in the same rhythm.
 */
export type Schedule =
  | { readonly epochs: number; readonly batches?: never }
  | { readonly batches: number; readonly epochs?: never };

/** @throws in one line, unless `every` is `{ epochs: k }` or `{ batches: k }` with a whole number k of at least 1. */
export function checkSchedule(every: unknown): asserts every is Schedule {
  const entries = typeof every === 'object' && every !== null ? Object.entries(every) : [];
  const given = entries.filter(([, value]) => value !== undefined);
  const [unit, count] = given[0] ?? [];
  const known = given.length === 1 && (unit === 'epochs' || unit === 'batches');
  if (!known || !Number.isInteger(count) || (count as number) < 1) {
    const shown = entries.length > 0 ? `{ ${entries.map(([key, value]) => `${key}: ${value}`).join(', ')} }` : every;
    throw new Error(
      `every must be { epochs: k } or { batches: k } with a whole number k of at least 1, but it is ${shown}.`,
    );
  }
}

/** Whether a reading is due once `count` epochs or batches have ended. */
export function isDue(every: Schedule, unit: 'epochs' | 'batches', count: number): boolean {
  const interval = every[unit];
  return interval !== undefined && count % interval === 0;
}
