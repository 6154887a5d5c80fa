import { setTimeout as pause } from 'node:timers/promises';
import { type Checkpoint, type CheckpointFolder, checkpointFolder } from './checkpoints.js';
import type { FileMeasurer, FileProblem, FileReading } from './measure-files.js';

export interface WatchOptions {
  /** Whether to end when all that is there has been measured. */
  readonly once: boolean;
  /** Whether a checkpoint has been measured before. */
  isKnown(checkpoint: Checkpoint): boolean;
  onReading(reading: FileReading, checkpoint: Checkpoint): void;
  onProblem(problem: FileProblem): void;
  /** How often to look, in ms. */
  readonly everyMs?: number;
  /** How long nothing of a checkpoint may have changed for it to be taken, in ms. */
  readonly settledMs?: number;
  /** How long one that is not whole may rest before that is told, in ms. */
  readonly patienceMs?: number;
}

const overwritten = new Error('it was written while it was read');

/**
 * Measures the checkpoints of a folder as they come, one at a time, in the order in which they were written. The folder is looked
 * through again and again, since network file systems and containers tell nothing of what others write.
 *
 * A checkpoint is taken once it is whole and nothing of it has changed for a moment. One that is overwritten is measured again; one
 * that is wrong, once it has changed.
 *
 * A folder that is taken away is waited for, unless `once`.
 *
 * @throws what Node throws where the folder is there and cannot be read, and what `measure` throws.
 */
export async function watchFolder(
  folder: string,
  measure: FileMeasurer['measure'],
  options: WatchOptions,
): Promise<void> {
  const { once, everyMs = 1000, settledMs = 1000, patienceMs = 10_000 } = options;
  const checkpoints = checkpointFolder(folder);
  /** States that are done with, by path. */
  const done = new Map<string, string>();
  /** When a state was first seen. */
  const seen = new Map<string, { readonly state: string; readonly at: number }>();
  /** When those that were measured had been written: a state is another one also by rights, an owner or a new place. */
  const measuredOf = new Map<string, number>();
  for (;;) {
    const open = checkpoints.find().filter(({ path, state }) => done.get(path) !== state);
    let taken = false;
    for (const checkpoint of open) {
      const { path, savedMs, state, lacks } = checkpoint;
      if (measuredOf.get(path) === savedMs || options.isKnown(checkpoint)) {
        done.set(path, state);
        continue;
      }
      const rested = restOf(checkpoint, seen);
      if (rested >= (lacks === undefined ? settledMs : once ? settledMs : patienceMs)) {
        done.set(path, state);
        if (lacks !== undefined) {
          options.onProblem({ model: path, problem: `it is not whole: ${lacks}.`, kind: 'input' });
          continue;
        }
        const result = await measured(checkpoint, checkpoints, measure);
        if (result === undefined) {
          done.delete(path);
        } else if ('problem' in result) {
          options.onProblem(result);
        } else {
          measuredOf.set(path, savedMs);
          options.onReading(result, checkpoint);
        }
        // An older one may have come meanwhile.
        taken = true;
        break;
      }
    }
    if (!taken) {
      if (once && open.every(({ path, state }) => done.get(path) === state)) {
        return;
      }
      await pause(everyMs);
    }
  }
}

/** How long nothing has changed, in ms, by this machine's clock; by the files' times as well, which may be another machine's. */
function restOf({ path, state, changedMs }: Checkpoint, seen: Map<string, { state: string; at: number }>): number {
  const now = Date.now();
  const first = seen.get(path);
  if (first?.state !== state) {
    seen.set(path, { state, at: now });
    return now - changedMs;
  }
  return Math.max(now - changedMs, now - first.at);
}

/** @returns undefined where it was overwritten or taken away in the middle. */
async function measured(
  { path, state }: Checkpoint,
  checkpoints: CheckpointFolder,
  measure: FileMeasurer['measure'],
): Promise<FileReading | FileProblem | undefined> {
  const isAsFound = () => checkpoints.look(path)?.state === state;
  const result = await measure(path, () => {
    if (!isAsFound()) {
      throw overwritten;
    }
  });
  // What was wrong may be that it was on its way.
  return 'problem' in result && !isAsFound() ? undefined : result;
}
