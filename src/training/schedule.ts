/**
 * When the callback takes a reading: after every k-th epoch or after every k-th batch, counted over all fits that it serves
 * (batches from `initialStep` on, so that a resumed run goes on in the same rhythm), or as often as readings take no more than
 * a share of the time that training takes.
 */
export type Schedule =
  | { readonly epochs: number; readonly batches?: never; readonly overhead?: never }
  | { readonly batches: number; readonly epochs?: never; readonly overhead?: never }
  | { readonly overhead: number; readonly epochs?: never; readonly batches?: never };

/** @throws Error with one line unless `every` is `{ epochs: k }`, `{ batches: k }` or `{ overhead: share }`, in range. */
export function checkSchedule(every: unknown): asserts every is Schedule {
  const entries = typeof every === 'object' && every !== null ? Object.entries(every) : [];
  const given = entries.filter(([, value]) => value !== undefined);
  const [unit, value] = given[0] ?? [];
  const counts = (unit === 'epochs' || unit === 'batches') && Number.isInteger(value) && (value as number) >= 1;
  const share = unit === 'overhead' && typeof value === 'number' && value > 0 && value <= 1;
  if (given.length !== 1 || !(counts || share)) {
    const shown = entries.length > 0 ? `{ ${entries.map(([key, each]) => `${key}: ${each}`).join(', ')} }` : every;
    throw new Error(
      'every must be { epochs: k } or { batches: k } with a whole number k of at least 1, or { overhead: share } with a ' +
        `share of the training time above 0 and at most 1, such as 0.05 for 5%, but it is ${shown}.`,
    );
  }
}

/** Whether a reading is due once `count` epochs or batches have ended. */
export function isDue(every: Schedule, unit: 'epochs' | 'batches', count: number): boolean {
  const interval = every[unit];
  return interval !== undefined && count % interval === 0;
}
