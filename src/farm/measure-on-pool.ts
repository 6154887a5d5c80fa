import { checkWhole } from '../checks.js';
import { problemOf } from '../files/failure.js';
import type { FileProblem, FileReading } from '../files/measure-files.js';
import type { PlanProgress } from '../files/progress-line.js';
import { printable } from '../measure/reading.js';
import { type PlannedCheckpoint, type PlanOptions, planFor } from './plan.js';
import type { MeasuredShare, MergedReading, Outcome } from './task.js';
import { type TaskPool, taskPool } from './task-pool.js';

/** What is told on the way. */
export interface PlanEvents {
  readonly onProgress?: (progress: PlanProgress) => void;
  readonly onNote?: (model: string, note: string) => void;
}

/**
 * Measures models in several processes of this machine.
 *
 * @param workers how many processes.
 * @param shards in how many parts the data of each model are measured. Their number tells the last digits, that of processes does not.
 * @returns as `measureFiles` does, in the order of `models`.
 * @throws Error with one line for options that do not go together, or data that are not there.
 */
export async function* measureOnPool(
  models: readonly string[],
  options: PlanOptions,
  { workers, shards }: { readonly workers: number; readonly shards: number },
  events: PlanEvents = {},
): AsyncGenerator<FileReading | FileProblem> {
  checkWhole('--workers', workers, { atLeast: 1 }, 'a number of processes, for example --workers 2');
  const plan = await planFor(options, shards);
  const extent: PlanExtent = { totalParts: models.length * shards, before: 0 };
  const progress = planProgress(extent, events);
  const pool = taskPool(workers);
  try {
    // One is read after the other, while those before are measured.
    let planned: Promise<unknown> = Promise.resolve();
    const results = models.map((model) => {
      const next = planned.then(() => plan(model));
      planned = next.catch(() => {
        extent.totalParts -= shards;
      });
      return next
        .then((each) => measureOne(pool, each, (index, fraction) => progress(`${model} ${index}`, fraction, workers)))
        .catch((error): Outcome<MergedReading> => problemOf(error));
    });
    for (const [i, result] of results.entries()) {
      yield resultOf(models[i]!, await result, events);
    }
  } finally {
    await pool.close();
  }
}

async function measureOne(
  pool: TaskPool,
  { checkpoint }: PlannedCheckpoint,
  onProgress: (index: number, fraction: number) => void,
): Promise<Outcome<MergedReading>> {
  const outcomes = await Promise.all(
    Array.from({ length: checkpoint.shards }, async (_, index) => {
      const outcome = await pool.measure({ checkpoint, index }, (fraction) => onProgress(index, fraction));
      onProgress(index, 1);
      return outcome;
    }),
  );
  const shares: MeasuredShare[] = [];
  for (const outcome of outcomes) {
    if ('problem' in outcome) {
      return outcome;
    }
    shares.push(outcome.value);
  }
  return pool.merge({ checkpoint, shares });
}

/** An outcome in the form that `measureFiles` has. Tells its notes. */
export function resultOf(
  model: string,
  outcome: Outcome<MergedReading>,
  { onNote }: PlanEvents,
): FileReading | FileProblem {
  if ('problem' in outcome) {
    return { model, ...outcome };
  }
  const { reading, notes } = outcome.value;
  for (const note of notes) {
    onNote?.(model, note);
  }
  return printable({ model, ...reading });
}

/** How much there is to do, as far as is known: models that cannot be read, or are set aside, have no more parts. */
export interface PlanExtent {
  totalParts: number;
  /** Parts that were there at the start, and took no time. */
  before: number;
}

/** Counts parts, those that are on their way too, and tells how long the rest will take. */
export function planProgress(
  extent: PlanExtent,
  { onProgress }: PlanEvents,
): (part: string, fraction: number, workers: number) => void {
  const start = performance.now();
  const fractions = new Map<string, number>();
  let parts = 0;
  return (part, fraction, workers) => {
    parts += fraction - (fractions.get(part) ?? 0);
    fractions.set(part, fraction);
    const taken = performance.now() - start;
    const { totalParts, before } = extent;
    onProgress?.({
      parts,
      totalParts,
      workers,
      timeLeftMs: parts > before ? (taken / (parts - before)) * (totalParts - parts) : undefined,
    });
  };
}
