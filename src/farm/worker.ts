import { hostname } from 'node:os';
import type { Job, Worker } from 'bullmq';
import { checkNumber, checkWhole } from '../checks.js';
import { isModule } from '../files/data-file.js';
import { counted } from '../names.js';
import { lineOf } from '../warnings.js';
import { absolutePath, hashOfData, layersId } from './content.js';
import type { Checkpoint } from './plan.js';
import {
  type Farm,
  type JobData,
  know,
  known,
  mergeId,
  openFarm,
  otherVersions,
  PREFIX,
  shareId,
  shareIds,
} from './queue.js';
import { shownUrl } from './redis-server.js';
import type { MeasuredShare, Outcome } from './task.js';
import { type TaskPool, taskPool } from './task-pool.js';
import { VERSION } from './version.js';

export interface FarmWorkerOptions {
  /** How many jobs at once, each in a process of its own. */
  readonly concurrency: number;
  /** Seconds without a word of a worker after which others take its jobs over. */
  readonly lostAfter: number;
  /** Minutes after which a job is ended, as one that has no end. */
  readonly longest: number;
  /** Modules that register layers: models with these layers are measured, and no others. */
  readonly require?: readonly string[];
  readonly say: (line: string) => void;
}

/** A worker that runs. */
export interface FarmWorker {
  /** What it does, in a line. */
  readonly greeting: string;
  /** Takes no more jobs, and ends with those that it has, or at once: others take them over. */
  close(atOnce: boolean): Promise<void>;
}

/**
 * How often a job is taken over before it is set aside as one that ends its workers. What a job does to a machine ends the process that
 * measures (`task-pool.ts`) and counts as an attempt; its worker ends with its machine.
 */
const MOST_TAKEN_OVER = 10;

/**
 * Takes jobs from the queue until it is closed.
 *
 * @throws Error with one line where a package is not installed, or no Redis server answers.
 * @throws RangeError with one line for numbers out of range.
 */
export async function startWorker(
  url: string,
  { concurrency, lostAfter, longest, require = [], say }: FarmWorkerOptions,
): Promise<FarmWorker> {
  checkWhole('--concurrency', concurrency, { atLeast: 1 }, 'a number of jobs, for example --concurrency 2');
  checkNumber('--lost-after', lostAfter, { above: 0 }, 'seconds, for example --lost-after 60');
  // Timers have no more than 2^31 ms.
  checkNumber('--longest', longest, { above: 0, atMost: 35_000 }, 'minutes, for example --longest 60');
  const layers = await ownLayers(require);
  const farm = await openFarm(url, layers.id, say);
  for (const { version, jobs } of await otherVersions(farm)) {
    if (jobs > 0) {
      say(`${counted(jobs, 'job')} for tfjs-sharpness ${version} refused: this worker is ${VERSION}, install the same`);
    }
  }
  const pool = taskPool(concurrency, 60_000 * longest);
  const rest = restAfterFailures(() => worker, say);
  const worker: Worker<JobData> = new farm.bullmq.Worker<JobData>(
    farm.queue.name,
    (job) => processed(farm, pool, layers, rest, job),
    {
      connection: farm.redis,
      prefix: PREFIX,
      skipVersionCheck: true,
      concurrency,
      // Redis refuses a client's name with a blank, silently: the worker would not be counted.
      name: `${hostname()}:${process.pid}`,
      lockDuration: 1000 * lostAfter,
      stalledInterval: 500 * lostAfter,
      // The default, 1, sets a job aside whose worker was ended twice, though by a new version of the farm and not by the job
      // (taskforcesh/bullmq#892).
      maxStalledCount: MOST_TAKEN_OVER,
      // Two weeks, by the minute.
      metrics: { maxDataPoints: 14 * 24 * 60 },
    },
  );
  worker.on('error', () => {});
  worker.on('stalled', (id) => say(`${id} is taken over from a worker that is not heard of any more`));
  worker.on('failed', (job, error) => say(`${job?.id}: ${job?.name}: ${lineOf(error)}`));
  await worker.waitUntilReady();
  return {
    greeting: `tfjs-sharpness ${VERSION} takes jobs from ${shownUrl(url)}, ${concurrency} at a time`,
    async close(atOnce) {
      rest.end();
      if (atOnce) {
        await pool.close();
        await farm.close(true);
        return;
      }
      await worker.close();
      await pool.close();
      await farm.close();
    },
  };
}

/** Modules of layers of this worker, which its jobs load, whatever they ask for. */
interface OwnLayers {
  readonly id: string;
  readonly paths: readonly string[];
  /** SHA-256 by path. */
  readonly hashes: { readonly [path: string]: string };
}

async function ownLayers(require: readonly string[]): Promise<OwnLayers> {
  const paths = require.map(absolutePath);
  const id = await layersId(paths);
  const hashes: { [path: string]: string } = {};
  for (const path of paths) {
    hashes[path] = await hashOfData(path);
  }
  return { id, paths, hashes };
}

/** With the modules of this worker in the place of those that a job names: whoever can write to the queue loads none of his own. */
function withOwnLayers({ bullmq }: Farm, { checkpoint }: JobData, { paths, hashes }: OwnLayers): Checkpoint {
  const { require = [], data } = checkpoint.options;
  const wanted = require.map((path) => checkpoint.files[path]);
  // `measure` puts no such job there.
  if (
    (typeof data === 'string' && isModule(data)) ||
    wanted.length !== paths.length ||
    !wanted.every((hash, i) => hash === hashes[paths[i]!])
  ) {
    throw new bullmq.UnrecoverableError('a worker loads no modules but its own.');
  }
  if (paths.length === 0) {
    return checkpoint;
  }
  const files = Object.fromEntries(Object.entries(checkpoint.files).filter(([path]) => !require.includes(path)));
  return { ...checkpoint, files: { ...files, ...hashes }, options: { ...checkpoint.options, require: paths } };
}

/** How long a worker rests at most, in ms. */
const LONGEST_REST = 60_000;

/** What keeps a machine that fails from the jobs of the others. */
interface Rest {
  /** After a job that failed by the machine, and one that did not. */
  after(isFailure: boolean): Promise<void>;
  end(): void;
}

/**
 * A machine that fails at everything, since it does not see the files or has no backend, is always free: it would take the jobs of all
 * others, three times each, and set them aside. So it takes none for a second, and twice as long after each further failure.
 */
function restAfterFailures(worker: () => Worker, say: (line: string) => void): Rest {
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let isEnded = false;
  return {
    async after(isFailure) {
      if (!isFailure) {
        failures = 0;
      } else if (timer === undefined && !isEnded) {
        const ms = Math.min(1000 * 2 ** failures++, LONGEST_REST);
        say(`what failed here may go elsewhere: no other job is taken for ${ms / 1000} s`);
        timer = setTimeout(() => {
          timer = undefined;
          worker().resume();
        }, ms);
        await worker().pause(true);
      }
    },
    end() {
      isEnded = true;
      clearTimeout(timer);
    },
  };
}

async function processed(farm: Farm, pool: TaskPool, layers: OwnLayers, rest: Rest, job: Job<JobData>): Promise<void> {
  const { id, index } = job.data;
  const checkpoint = withOwnLayers(farm, job.data, layers);
  const outcomeOf = async <Value>(outcome: Outcome<Value>): Promise<Value> => {
    // Before the job is given back, and another one taken. What has no end may be the job's own fault, and comes no more often than `longest`.
    await rest.after('problem' in outcome && outcome.kind === 'failure' && !outcome.isEndless);
    return measuredOf(farm, outcome);
  };
  if (index === undefined) {
    const shares = await known<MeasuredShare>(farm, shareIds(id, checkpoint.shards));
    if (!shares.every((each) => each !== undefined)) {
      const [reason] = Object.values(await job.getIgnoredChildrenFailures());
      throw new farm.bullmq.UnrecoverableError(reason ?? `some of its parts are not known any more ${onThis}`);
    }
    await know(farm, mergeId(id), await outcomeOf(await pool.merge({ checkpoint, shares })));
    return;
  }
  const name = shareId(id, index);
  // A worker that was ended behind the last step has left its job to others.
  const [before] = await known(farm, [name]);
  if (before) {
    return;
  }
  const onProgress = (fraction: number) => {
    job.updateProgress(Math.round(100 * fraction)).catch(() => {});
  };
  await know(farm, name, await outcomeOf(await pool.measure({ checkpoint, index }, onProgress)));
}

/** Behind what a machine failed at, as others may not. */
const onThis = `(on ${hostname()})`;

/** Whether a reason is that of a machine, and not of what it was given. */
export const isOfMachine = (reason: string) => / \(on [^()]*\)$|^job stalled/.test(reason);

/** @throws what BullMQ tries again, or sets aside at once where the input is wrong or it has no end. */
function measuredOf<Value>({ bullmq }: Farm, outcome: Outcome<Value>): Value {
  if ('value' in outcome) {
    return outcome.value;
  }
  if (outcome.kind === 'input') {
    throw new bullmq.UnrecoverableError(outcome.problem);
  }
  const reason = `${outcome.problem} ${onThis}`;
  // One that ran for a day would take two days more.
  throw outcome.isEndless ? new bullmq.UnrecoverableError(reason) : new Error(reason);
}
