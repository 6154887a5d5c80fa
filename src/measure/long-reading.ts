import { informOnce } from '../warnings.js';
import type { Task } from './task.js';
import { timeLeft } from './time-left.js';

/** A measurement that will take longer than this says so, once its first rows have been timed for so long, in ms. */
const LONG_MS = 10_000;
const TIMED_MS = 1000;

/** Once a source: a training run measures the same network again and again. */
const announceOnce = informOnce('tfjs-sharpness');

/**
 * The same task, which says on the console, once a model, when it is going to take long: by the time that its first backward rows take
 * or, in a pass before these, its first samples.
 *
 * @param advice what takes less.
 */
export function announcedWhereLong(task: Task, advice: string): Task {
  const { tensors } = task.data;
  const ofRows = timeLeft();
  const ofSamples = timeLeft();
  return {
    ...task,
    async pause(samples, run) {
      const { rows, totalRows } = run ?? { rows: 0, totalRows: undefined };
      const byRows = ofRows(rows, totalRows);
      const bySamples = rows === 0 ? ofSamples(samples, tensors?.[0].shape[0]) : undefined;
      const left = byRows ?? bySamples;
      if (left && left.timed >= TIMED_MS && left.ms > LONG_MS) {
        const work = byRows ? `${totalRows} backward rows` : `${tensors?.[0].shape[0]} samples forward, to begin with`;
        announceOnce(
          `a reading runs ${work}, and by the first of them it takes about ${durationOf(left.ms)} more; ${advice}`,
          task.subject.source,
        );
      }
      await task.pause(samples, run);
    },
  };
}

function durationOf(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 120 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`;
}
