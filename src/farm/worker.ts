import { hostname } from 'node:os';
import type { Job, Worker } from 'bullmq';
import { checkNumber, checkWhole } from '../checks.js';
import { isModule } from '../files/data-file.js';
import { counted } from '../names.js';
import { lineOf } from '../warnings.js';
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
  shownUrl,
} from './queue.js';
import type { MeasuredShare, MergedReading, Outcome } from './task.js';
import { type TaskPool, taskPool } from './task-pool.js';
import { VERSION } from './version.js';

export interface FarmWorkerOptions {
  /** How many jobs at once, each in a process of its own. */
  readonly concurrency: number;
  /** Seconds without a word of a worker after which others take its jobs over. */
  readonly lostAfter: number;
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
  { concurrency, lostAfter, say }: FarmWorkerOptions,
): Promise<FarmWorker> {
  checkWhole('concurrency', concurrency, { atLeast: 1 }, 'pass a number of jobs, for example 2');
  checkNumber('lostAfter', lostAfter, { above: 0 }, 'pass seconds, for example 60');
  const farm = await openFarm(url, say);
  for (const { version, jobs } of await otherVersions(farm)) {
    if (jobs > 0) {
      say(`${counted(jobs, 'job')} for tfjs-sharpness ${version} refused: this worker is ${VERSION}, install the same`);
    }
  }
  const pool = taskPool(concurrency);
  const worker: Worker<JobData> = new farm.bullmq.Worker<JobData>(
    farm.queue.name,
    (job) => processed(farm, pool, job),
    {
      connection: farm.redis,
      prefix: PREFIX,
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
      if (atOnce) {
        await pool.close();
        farm.redis.disconnect();
        return;
      }
      await worker.close();
      await pool.close();
      await farm.close();
    },
  };
}

async function processed(farm: Farm, pool: TaskPool, job: Job<JobData>): Promise<void> {
  const { checkpoint, id, index } = job.data;
  const { require, data } = checkpoint.options;
  // `measure` puts no such job there.
  if ((require?.length ?? 0) > 0 || (typeof data === 'string' && isModule(data))) {
    throw new farm.bullmq.UnrecoverableError('a worker loads no modules.');
  }
  if (index === undefined) {
    const shares = await known<MeasuredShare>(
      farm,
      Array.from({ length: checkpoint.shards }, (_, each) => shareId(id, each)),
    );
    if (!shares.every((each) => each !== undefined)) {
      const [reason] = Object.values(await job.getIgnoredChildrenFailures());
      throw new farm.bullmq.UnrecoverableError(reason ?? `some of its parts are not known any more ${onThis}`);
    }
    await know(farm, mergeId(id), measuredOf<MergedReading>(farm, await pool.merge({ checkpoint, shares })));
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
  await know(farm, name, measuredOf<MeasuredShare>(farm, await pool.measure({ checkpoint, index }, onProgress)));
}

/** Behind what a machine failed at, as others may not. */
const onThis = `(on ${hostname()})`;

/** Whether a reason is that of a machine, and not of what it was given. */
export const isOfMachine = (reason: string) => / \(on [^()]*\)$|^job stalled/.test(reason);

/** @throws what BullMQ tries again, or sets aside at once where the input is wrong. */
function measuredOf<Value>({ bullmq }: Farm, outcome: Outcome<Value>): Value {
  if ('value' in outcome) {
    return outcome.value;
  }
  throw outcome.kind === 'input'
    ? new bullmq.UnrecoverableError(outcome.problem)
    : new Error(`${outcome.problem} ${onThis}`);
}
