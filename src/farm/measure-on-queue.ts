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
  endedJobs,
  type Farm,
  known,
  LAST_PRIORITY,
  LOT,
  mergeId,
  openFarm,
  otherVersions,
  shareIds,
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
  checkWhole('--priority', priority, { atLeast: 1, atMost: LAST_PRIORITY }, '1 comes first');
  const layers = await layersId(options.require);
  // Before the data are hashed, which may take hours.
  const farm = await openFarm(url, layers, say);
  try {
    const plan = await planFor(options, shards);
    const pending: Pending = new Map();
    const givenUp: GivenUp = new Map();
    const ended = endedJobs(farm);
    const extent: PlanExtent = { totalParts: models.length * shards, before: 0 };
    const progress = planProgress(extent, events);
    let knownParts = 0;
    const lot: PlannedCheckpoint[] = [];
    /** When the first of them were there to be measured. */
    let since: number | undefined;
    let isTold = false;
    /** What is there, what was set aside, and that nobody is there to measure. @param added what has just been put into the queue. */
    const look = async function* (added: readonly string[] = []): AsyncGenerator<FileReading | FileProblem> {
      const workers = await farm.queue.getWorkersCount();
      const asked = nextOf(pending, [...added, ...(await ended())]);
      const readings = await known<MergedReading>(
        farm,
        asked.map(({ planned }) => mergeId(planned.id)),
      );
      await Promise.all(
        asked.map(async (each, i) => {
          const parts = readings[i] ? shards : await countKnown(farm, shareIds(each.planned.id, shards));
          knownParts += parts - each.parts;
          each.parts = parts;
        }),
      );
      const others = asked.filter((_, i) => !readings[i]);
      const problems = await setAside(farm, others, priority);
      for (const id of problems.keys()) {
        // Of its parts none comes any more.
        extent.totalParts -= shards - pending.get(id)!.parts;
      }
      progress('', knownParts, workers);
      for (const [i, { models, planned }] of asked.entries()) {
        const value = readings[i];
        if (value) {
          pending.delete(planned.id);
          for (const model of models) {
            yield resultOf(model, { value }, events);
          }
        }
      }
      for (const [id, problem] of problems) {
        const { models } = pending.get(id)!;
        pending.delete(id);
        givenUp.set(id, problem);
        for (const model of models) {
          yield { model, ...problem };
        }
      }
      since ??= performance.now();
      if (pending.size > 0 && workers === 0 && !isTold && performance.now() - since > PATIENCE) {
        isTold = true;
        say(await withoutWorkers(farm, options.require));
      }
    };
    /** Workers begin while the other models are read. @returns what has been put into the queue. */
    const submitLot = async () => {
      const added = lot.splice(0);
      extent.before += await countKnown(
        farm,
        added.flatMap(({ id }) => shareIds(id, shards)),
      );
      await submit(farm, added, priority);
      return added.map(({ id }) => id);
    };
    for (const model of models) {
      try {
        const planned = await plan(model);
        const twin = pending.get(planned.id);
        const problem = givenUp.get(planned.id);
        if (twin || problem) {
          // Copies of a file are one checkpoint.
          extent.totalParts -= shards;
        }
        if (problem) {
          yield { model, ...problem };
        } else if (twin) {
          twin.models.push(model);
        } else {
          pending.set(planned.id, { models: [model], planned, parts: 0 });
          lot.push(planned);
        }
      } catch (error) {
        extent.totalParts -= shards;
        yield { model, ...problemOf(error) };
      }
      if (lot.length === LOT) {
        yield* look(await submitLot());
      }
    }
    const added = await submitLot();
    onSubmitted?.();
    yield* look(added);
    while (pending.size > 0) {
      await wait(200);
      yield* look();
    }
  } finally {
    await farm.close();
  }
}

/** A checkpoint that is in the queue. */
interface Asked {
  /** All that are copies of it. */
  readonly models: string[];
  readonly planned: PlannedCheckpoint;
  /** How many of its parts were known when it was looked at last. */
  parts: number;
}

/** By their ids, those first that have not been looked at for longest. */
type Pending = Map<string, Asked>;

/** What was set aside, by its id. */
type GivenUp = Map<string, Omit<FileProblem, 'model'>>;

/**
 * What to look at, which costs the server some steps each: what there is news of, and the next of all others in turn, whose news have got
 * lost.
 */
function nextOf(pending: Pending, news: readonly string[]): Asked[] {
  const asked = new Map<string, Asked>();
  for (const id of [...news, ...[...pending.keys()].slice(0, LOT)]) {
    const each = pending.get(id);
    if (each) {
      asked.set(id, each);
    }
  }
  for (const [id, each] of asked) {
    pending.delete(id);
    pending.set(id, each);
  }
  return [...asked.values()];
}

/**
 * Puts those into the queue again that are no more in it, as after a server that restarts without what it knew.
 *
 * @returns what is wrong with those that were given up, by their ids.
 */
async function setAside(farm: Farm, asked: readonly Asked[], priority: number): Promise<GivenUp> {
  const jobs = await Promise.all(asked.map(({ planned }) => farm.queue.getJob(mergeId(planned.id))));
  const lost = asked.filter((_, i) => !jobs[i]).map(({ planned }) => planned);
  await submit(farm, lost, priority);
  const found: GivenUp = new Map();
  for (const [i, { planned }] of asked.entries()) {
    const { finishedOn, failedReason } = jobs[i] ?? {};
    if (finishedOn !== undefined && failedReason) {
      const kind = isOfMachine(failedReason) ? 'failure' : 'input';
      found.set(planned.id, { problem: reasonInWords(failedReason), kind });
    }
  }
  return found;
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
