import { type Average, differenceError } from './smoothing.js';

/** What counts as a change of the monitored value. */
export interface Comparison {
  readonly lowerIsBetter: boolean;
  /** In units of the monitored value. */
  readonly minDelta: number;
  /** In units of the standard error of the difference; 0 takes every value as exact. */
  readonly standardErrors: number;
  /** Factor of the moving average, see `nextAverage`. */
  readonly smoothing: number;
}

/** How `later` compares with `earlier`; `same` within minDelta or the standard errors, and where either is NaN. */
export function change(later: Average, earlier: Average, comparison: Comparison): 'better' | 'worse' | 'same' {
  const { lowerIsBetter, minDelta, standardErrors, smoothing } = comparison;
  const gain = lowerIsBetter ? earlier.value - later.value : later.value - earlier.value;
  const size = Math.abs(gain);
  if (
    !(size > minDelta && (standardErrors === 0 || size > standardErrors * differenceError(later, earlier, smoothing)))
  ) {
    return 'same';
  }
  return gain > 0 ? 'better' : 'worse';
}

/** What a criterion is told at the end of every epoch, or at every reading, that counts. */
export interface Progress {
  readonly current: Average;
  /** Whether `current` is better than the best before. */
  readonly improved: boolean;
  /** Mean training loss of the epoch, or since the last reading; NaN where it is not known. */
  readonly loss: number;
}

/** What a criterion remembers: plain numbers, replaced and never changed. */
export interface Waiting {
  /** Epochs or readings waited so far. */
  readonly wait: number;
  /** What was told last, where the criterion compares with that. */
  readonly before?: Pick<Progress, 'current' | 'loss'>;
  /** Whether training is to stop. */
  readonly stops: boolean;
}

/** Nothing has been waited for. */
export const notWaiting: Waiting = { wait: 0, stops: false };

/** Told of the progress, says how long it has waited, and whether training is to stop. */
export type Criterion = (waiting: Waiting, progress: Progress) => Waiting;

/**
 * Stops at the first of `patience` epochs or more since the last improvement that is none itself. With a baseline, waiting
 * ends only with an improvement that is better than the baseline too. This is Keras 3's rule, step by step.
 */
export function plateau(patience: number, baseline: number | undefined, comparison: Comparison): Criterion {
  const goal = baseline === undefined ? undefined : { value: baseline, variance: 0, count: 0 };
  return ({ wait }, { current, improved }) => {
    if (!improved) {
      return { wait: wait + 1, stops: wait + 1 >= patience };
    }
    const reached = goal === undefined || change(current, goal, comparison) === 'better';
    return { wait: reached ? 0 : wait + 1, stops: false };
  };
}

/** Stops when the value got worse and the training loss fell, each against the epoch before, `patience` times in a row. */
export function worsensAsLossFalls(patience: number, comparison: Comparison): Criterion {
  return ({ wait, before }, { current, loss }) => {
    const worse = before !== undefined && change(current, before.current, comparison) === 'worse';
    const streak = worse && loss < before.loss ? wait + 1 : 0;
    return { wait: streak, before: { current, loss }, stops: streak > 0 && streak >= patience };
  };
}
