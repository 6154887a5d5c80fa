import type * as BullMQ from 'bullmq';
import type * as IORedis from 'ioredis';
import { optionalPackage } from '../files/optional-package.js';
import { asNumber, jsonText } from '../training/files/json-lines.js';
import type { Checkpoint, PlannedCheckpoint } from './plan.js';
import { reachRedis } from './redis-server.js';
import type { MeasuredShare, MergedReading } from './task.js';
import { VERSION } from './version.js';

/** Before all keys in Redis. */
export const PREFIX = 'tfjs-sharpness';

/** How long what was measured is known, in seconds. */
const KEPT = 30 * 24 * 3600;

/** How many events the queue keeps, of some 100 bytes each. */
const KEPT_EVENTS = 10_000;

/** What a job is: to measure a part, or to put the parts of a checkpoint together once they are measured. */
export interface JobData {
  readonly checkpoint: Checkpoint;
  /** Of the checkpoint. */
  readonly id: string;
  /** Of the part; none puts the parts together. */
  readonly index?: number;
}

/** So many models are put into the queue at once. */
export const LOT = 50;

/** The greatest priority that there is; 1 comes first. */
export const LAST_PRIORITY = 1_000_000;

/** A queue in Redis with what is known, for clients and workers. */
export interface Farm {
  readonly url: string;
  readonly bullmq: typeof BullMQ;
  readonly redis: IORedis.Redis;
  /** A queue for each version of this package, and of layers: no job reaches a worker of another one. */
  readonly queue: BullMQ.Queue<JobData>;
  readonly flows: BullMQ.FlowProducer;
  /** @param atOnce without a word to the server. */
  close(atOnce?: boolean): Promise<void>;
}

/**
 * Opens the queue of a Redis server.
 *
 * @param url redis://HOST:PORT/DATABASE, or rediss:// with TLS.
 * @param layers of `layersId`: models with layers of one's own have a queue for each version of these.
 * @param say is told when the connection is lost and found again.
 * @throws Error with one line where a package is not installed, or the server does not answer.
 */
export async function openFarm(url: string, layers: string, say: (line: string) => void): Promise<Farm> {
  const bullmq = await optionalPackage<typeof BullMQ>('bullmq', '--queue', 'bullmq ioredis');
  let isClosed = false;
  const redis = await reachRedis(url, (line) => isClosed || say(line));
  // The version was looked at; BullMQ would look at each of its connections.
  const base = { connection: redis, prefix: PREFIX, skipVersionCheck: true };
  const queue = new bullmq.Queue<JobData>(layers === '' ? VERSION : `${VERSION}-layers-${layers}`, {
    ...base,
    // What jobs return stands there too, and has filled servers (taskforcesh/bullmq#366): ours return nothing.
    streams: { events: { maxLen: KEPT_EVENTS } },
  });
  const flows = new bullmq.FlowProducer(base);
  queue.on('error', () => {});
  flows.on('error', () => {});
  return {
    url,
    bullmq,
    redis,
    queue,
    flows,
    async close(atOnce = false) {
      isClosed = true;
      if (!atOnce) {
        await Promise.all([queue.close(), flows.close()]).catch(() => {});
      }
      redis.disconnect();
    },
  };
}

export const mergeId = (id: string) => `reading-${id}`;
export const shareId = (id: string, index: number) => `part-${id}-${index}`;

/** The parts of a checkpoint, by their jobs. */
export const shareIds = (id: string, shards: number) =>
  Array.from({ length: shards }, (_, index) => shareId(id, index));

/** The checkpoint that a job is of. */
const checkpointOf = (jobId: string) => /^(?:reading|part)-(\w+)/.exec(jobId)?.[1];

/**
 * What tells which checkpoints have jobs that have ended since it was asked before. It may miss some: the server keeps the last events only,
 * and none where it restarts without what it knew.
 */
export function endedJobs({ redis, queue }: Farm): () => Promise<ReadonlySet<string>> {
  const atOnce = 1000;
  let last = '0';
  return async () => {
    const ended = new Set<string>();
    for (;;) {
      const [stream] = (await redis.xread('COUNT', atOnce, 'STREAMS', queue.toKey('events'), last)) ?? [];
      const events = stream?.[1] ?? [];
      for (const [id, fields] of events) {
        last = id;
        // Names and values take turns.
        const of = (name: string) => fields[fields.indexOf(name) + 1] ?? '';
        const checkpoint = checkpointOf(of('jobId'));
        if (checkpoint !== undefined && ['completed', 'failed'].includes(of('event'))) {
          ended.add(checkpoint);
        }
      }
      if (events.length < atOnce) {
        return ended;
      }
    }
  };
}

const keyOf = (id: string) => `${PREFIX}:known:${id}`;

/**
 * What is known of jobs, undefined where it is not. It lies beside the queue and not in it: jobs return nothing, so that a job that is run
 * twice, since its worker was taken for dead, writes the same again and counts once.
 */
export async function known<Value extends MeasuredShare | MergedReading>(
  { redis }: Farm,
  ids: readonly string[],
): Promise<(Value | undefined)[]> {
  const found: (string | null)[] = [];
  // Redis answers nobody else meanwhile.
  for (let at = 0; at < ids.length; at += 500) {
    found.push(...(await redis.mget(ids.slice(at, at + 500).map(keyOf))));
  }
  return found.map((text) => (text === null ? undefined : (JSON.parse(text, asNumber) as Value)));
}

export async function know({ redis }: Farm, id: string, value: MeasuredShare | MergedReading): Promise<void> {
  await redis.set(keyOf(id), jsonText(value), 'EX', KEPT);
}

/** How many of these are known. */
export async function countKnown({ redis }: Farm, ids: readonly string[]): Promise<number> {
  let count = 0;
  for (let at = 0; at < ids.length; at += 500) {
    count += await redis.exists(ids.slice(at, at + 500).map(keyOf));
  }
  return count;
}

/**
 * Puts checkpoints into the queue that are not known: a job for each part that is not known, and one above them that puts the parts together. What is in the
 * queue already stays as it is, but for what was set aside, which is tried again.
 *
 * @param priority from 1, which comes first.
 */
export async function submit(farm: Farm, planned: readonly PlannedCheckpoint[], priority: number): Promise<void> {
  const { queue, flows } = farm;
  for (let at = 0; at < planned.length; at += LOT) {
    const lot = planned.slice(at, at + LOT);
    const readings = await known<MergedReading>(
      farm,
      lot.map(({ id }) => mergeId(id)),
    );
    const unknown = lot.filter((_, i) => readings[i] === undefined);
    const flowJobs = await Promise.all(
      unknown.map(async (each): Promise<BullMQ.FlowJob[]> => {
        const { id, checkpoint } = each;
        const before = await queue.getJob(mergeId(id));
        if (before && !(await hasEnded(before))) {
          return [];
        }
        // A job is not added where another of its name has ended and is still there, and a parent of such a one waits for ever
        // (taskforcesh/bullmq#2554).
        await before?.remove();
        const ids = shareIds(id, checkpoint.shards);
        const shares = await known<MeasuredShare>(farm, ids);
        const missing = ids.flatMap((_, index) => (shares[index] ? [] : [index]));
        await Promise.all(missing.map((index) => removeEnded(farm, ids[index]!)));
        const name = checkpoint.model;
        return [
          {
            name,
            queueName: queue.name,
            data: { checkpoint, id } satisfies JobData,
            // Before all parts of the same priority, so that readings come one by one.
            opts: { ...jobOptions, jobId: mergeId(id), priority: 2 * priority - 1 },
            children: missing.map((index) => ({
              name,
              queueName: queue.name,
              data: { checkpoint, id, index } satisfies JobData,
              opts: {
                ...jobOptions,
                jobId: ids[index]!,
                priority: 2 * priority,
                // Else the parent of a job that has failed waits for ever (taskforcesh/bullmq#3362). It runs once all others have ended,
                // so that nothing of it is on its way any more when it is tried again.
                ignoreDependencyOnFailure: true,
              },
            })),
          },
        ];
      }),
    );
    await flows.addBulk(flowJobs.flat());
  }
}

const jobOptions = {
  attempts: 3,
  backoff: { type: 'exponential', delay: 2000, jitter: 0.5 },
  // For who looks at a dashboard. Kept for ever, they would fill the server (taskforcesh/bullmq#1711).
  removeOnComplete: { age: 3600, count: 1000 },
  removeOnFail: { age: 14 * 24 * 3600, count: 10_000 },
  stackTraceLimit: 1,
};

/** Whether a job is done or was set aside. */
export async function hasEnded(job: BullMQ.Job): Promise<boolean> {
  return ['completed', 'failed', 'unknown'].includes(await job.getState());
}

async function removeEnded({ queue }: Farm, id: string): Promise<void> {
  const job = await queue.getJob(id);
  if (job && (await hasEnded(job))) {
    await job.remove();
  }
}

/** Versions of this package and of layers, but for this one, that have a queue here, with the jobs and the workers that they have. */
export async function otherVersions({
  redis,
  bullmq,
  queue: own,
}: Farm): Promise<{ readonly version: string; readonly jobs: number; readonly workers: number }[]> {
  const found = new Set<string>();
  for await (const keys of redis.scanStream({ match: `${PREFIX}:*:meta`, count: 1000 })) {
    for (const key of keys as string[]) {
      found.add(key.slice(PREFIX.length + 1, -':meta'.length));
    }
  }
  found.delete(own.name);
  return Promise.all(
    [...found].sort().map(async (version) => {
      const queue = new bullmq.Queue(version, { connection: redis, prefix: PREFIX, skipMetasUpdate: true });
      const jobs = await queue.getJobCountByTypes('waiting', 'prioritized', 'active', 'delayed');
      const workers = await queue.getWorkersCount();
      await queue.close();
      return { version, jobs, workers };
    }),
  );
}
