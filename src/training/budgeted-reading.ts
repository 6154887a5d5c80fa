import type { MeasureProgress } from '../measure/options.js';
import type { TimeBudget } from './time-budget.js';

/** What a reading is told that may be given up. */
export interface Limits {
  /** Aborted once there is no more time. */
  readonly signal: AbortSignal;
  /** To be called after every chunk. */
  readonly onProgress: (progress: Pick<MeasureProgress, 'samples' | 'total'>) => void;
}

/** A reading that takes up to this many times what there is time for is not given up: what it overdraws is paid back. */
const GRACE = 1.5;

/**
 * Takes a reading, gives it up as soon as it is clear that there is no time for all of it, and counts what it took.
 *
 * @returns what to say where it was given up.
 */
export async function readWithin(
  budget: TimeBudget,
  read: (limits: Limits) => Promise<void>,
): Promise<string | undefined> {
  const start = performance.now();
  const allowance = budget.allowance();
  const deadline = new AbortController();
  const passed = () => performance.now() - start;
  let seen: number | undefined;
  await read({
    signal: deadline.signal,
    onProgress({ samples, total }) {
      seen = (total && samples / total) || undefined;
      // The first samples tell what all of them will take at least.
      if (passed() / (seen ?? 1) > GRACE * allowance) {
        deadline.abort();
      }
    },
  });
  budget.spend(passed(), !deadline.signal.aborted, seen);
  return deadline.signal.aborted
    ? `a reading was given up after ${passed().toFixed(0)} ms: it would have taken more than the ${allowance.toFixed(0)} ms left.`
    : undefined;
}

/** What to say of an epoch in which there was no time for a reading. */
export function noReadingWithin(budget: TimeBudget): string {
  const { expected } = budget;
  const cost = expected === undefined ? '' : `, and the next takes about ${expected.toFixed(0)} ms`;
  const left = Math.max(0, budget.allowance()).toFixed(0);
  return `no reading in this epoch: readings may take ${left} ms now${cost}.`;
}
