import { setTimeout as wait } from 'node:timers/promises';
import { checkWhole } from '../checks.js';
import { problemOf } from '../files/failure.js';
import type { FileProblem, FileReading } from '../files/measure-files.js';
import { enumerate } from '../names.js';
import { layersId } from './content.js';
import { type PlanEvents, type PlanExtent, planProgress, resultOf } from './measure-on-pool.js';
import { type PlannedCheckpoint, type PlanOptions, planFor } from './plan.js';
import {
  countKnown,
  type Farm,
  known,
  LAST_PRIORITY,
  LOT,
  mergeId,
  openFarm,
  otherVersions,
  shareId,
  submit,
} from './queue.js';
import { shownUrl } from './redis-server.js';
import type { MergedReading } from './task.js';
import { VERSION } from './version.js';
import { isOfMachine } from './worker.js';

export interface QueueOptions {
  /** redis://HOST */
  readonly url: string;
  /** In how many parts the data of each model are measured. */
  readonly shards: number;
  /** From 1, which comes first. */
  readonly priority: number;
  readonly say: (line: string) => void;
  /** Called once all that is to be measured is in the queue. */
  readonly onSubmitted?: () => void;
}

/** How long no worker is there before it is said, in ms. */
const PATIENCE = 5000;

/**
 * Measures models by the workers of a queue in Redis. What is known is not measured again.
 *
 * @returns as `measureFiles` does, those first that are known or measured first.
 * @throws Error with one line for options that do not go together, data that are not there, or a server that does not answer.
 */
export async function* measureOnQueue(
  models: readonly string[],
  options: PlanOptions,
  { url, shards, priority, say, onSubmitted }: QueueOptions,
  events: PlanEvents = {},
): AsyncGenerator<FileReading | FileProblem> {
  checkWhole('priority', priority, { atLeast: 1, atMost: LAST_PRIORITY }, 'pass 1 for what comes first');
  const layers = await layersId(options.require);
  // Before the data are hashed, which may take hours.
  const farm = await openFarm(url, layers, say);
  try {
    const plan = await planFor(options, shards);
    const pending = new Map<string, { readonly models: string[]; readonly planned: PlannedCheckpoint }>();
    const extent: PlanExtent = { totalParts: models.length * shards, before: 0 };
    const progress = planProgress(extent, events);
    const parts: string[] = [];
    const lot: PlannedCheckpoint[] = [];
    /** When the first of them were there to be measured. */
    let since: number | undefined;
    let isTold = false;
    /** What is there, what was set aside, and that nobody is there to measure. */
    const look = async function* () {
      const workers = await farm.queue.getWorkersCount();
      progress('', await countKnown(farm, parts), workers);
      yield* settled(farm, pending, events);
      yield* setAside(farm, pending, priority);
      since ??= performance.now();
      if (pending.size > 0 && workers === 0 && !isTold && performance.now() - since > PATIENCE) {
        isTold = true;
        say(await withoutWorkers(farm, options.require));
      }
    };
    // Workers begin while the other models are read.
    const submitLot = async () => {
      const ofLot = lot.flatMap(({ id }) => Array.from({ length: shards }, (_, index) => shareId(id, index)));
      extent.before += await countKnown(farm, ofLot);
      parts.push(...ofLot);
      await submit(farm, lot.splice(0), priority);
    };
    for (const model of models) {
      try {
        const planned = await plan(model);
        const twin = pending.get(planned.id);
        if (twin) {
          // Copies of a file are one checkpoint.
          twin.models.push(model);
          extent.totalParts -= shards;
        } else {
          pending.set(planned.id, { models: [model], planned });
          lot.push(planned);
        }
      } catch (error) {
        extent.totalParts -= shards;
        yield { model, ...problemOf(error) };
      }
      if (lot.length === LOT) {
        await submitLot();
        yield* look();
      }
    }
    await submitLot();
    onSubmitted?.();
    yield* look();
    while (pending.size > 0) {
      // Each look costs the server a step for each checkpoint.
      await wait(200 + pending.size / 5);
      yield* look();
    }
  } finally {
    await farm.close();
  }
}

type Pending = Map<string, { readonly models: readonly string[]; readonly planned: PlannedCheckpoint }>;

/** Readings that are there. */
async function* settled(farm: Farm, pending: Pending, events: PlanEvents): AsyncGenerator<FileReading | FileProblem> {
  const ids = [...pending.keys()];
  const found = await known<MergedReading>(farm, ids.map(mergeId));
  for (const [i, value] of found.entries()) {
    if (value) {
      const { models } = pending.get(ids[i]!)!;
      pending.delete(ids[i]!);
      for (const model of models) {
        yield resultOf(model, { value }, events);
      }
    }
  }
}

/** Checkpoints that were given up. Those that are no more in the queue are put there again. */
async function* setAside(farm: Farm, pending: Pending, priority: number): AsyncGenerator<FileProblem> {
  const jobs = await Promise.all([...pending.keys()].map((id) => farm.queue.getJob(mergeId(id))));
  const lost: PlannedCheckpoint[] = [];
  for (const [i, [id, { models, planned }]] of [...pending].entries()) {
    const job = jobs[i];
    if (!job) {
      lost.push(planned);
    } else if (job.finishedOn !== undefined && job.failedReason) {
      pending.delete(id);
      const problem = reasonInWords(job.failedReason);
      for (const model of models) {
        yield { model, problem, kind: isOfMachine(job.failedReason) ? 'failure' : 'input' };
      }
    }
  }
  // A server that restarts without what it knew has no jobs either.
  await submit(farm, lost, priority);
}

function reasonInWords(reason: string): string {
  return /^job stalled/.test(reason)
    ? 'the workers that measured it were ended again and again, perhaps for want of memory: it is set aside.'
    : reason;
}

async function withoutWorkers(farm: Farm, layers: readonly string[] = []): Promise<string> {
  const others = (await otherVersions(farm)).filter(({ workers }) => workers > 0).map(({ version }) => version);
  const there = others.length > 0 ? `, only of ${enumerate(others)}` : '';
  const these = layers.length > 1 ? ' with these layers in this order' : layers.length > 0 ? ' with these layers' : '';
  const words = ['npx tfjs-sharpness worker --queue', shownUrl(farm.url), ...layers.map((path) => `--require ${path}`)];
  return `no worker of tfjs-sharpness ${VERSION}${these} is there yet${there}: ${words.join(' ')}`;
}
