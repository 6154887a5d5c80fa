import { beforeAll, expect, test, vi } from 'vitest';
import { type PlannedCheckpoint, planFor } from '../../src/farm/plan.js';
import {
  endedJobs,
  type Farm,
  hasEnded,
  know,
  known,
  mergeId,
  openFarm,
  otherVersions,
  PREFIX,
  shareId,
  submit,
} from '../../src/farm/queue.js';
import type { MergedReading } from '../../src/farm/task.js';
import { testFolder } from '../files/saved-model.js';
import { saveCheckpoints } from './checkpoints.js';
import { describeWithRedis, redisServer } from './redis-server.js';

describeWithRedis('a queue', () => {
  const folder = testFolder();
  const redis = redisServer();
  let planned: PlannedCheckpoint;
  beforeAll(async () => {
    const [model] = await saveCheckpoints(folder.path, 1);
    planned = await (await planFor({ random: 9 }, 3))(model!);
  });
  const withFarm = async (use: (farm: Farm) => Promise<void>) => {
    const farm = await openFarm(redis.url, '', () => {});
    try {
      await use(farm);
    } finally {
      await farm.close();
    }
  };

  test('what is in it is not added again, and what was set aside is', () =>
    withFarm(async (farm) => {
      await submit(farm, [planned, planned], 100);
      await submit(farm, [planned], 100);
      expect(await farm.queue.getJobCounts('prioritized', 'waiting-children')).toEqual({
        prioritized: 3,
        'waiting-children': 1,
      });
      const ids = [0, 1, 2].map((index) => shareId(planned.id, index));
      const worker = new farm.bullmq.Worker(
        farm.queue.name,
        async () => {
          throw new farm.bullmq.UnrecoverableError('bad');
        },
        { connection: farm.redis, prefix: PREFIX },
      );
      const merge = (await farm.queue.getJob(mergeId(planned.id)))!;
      const ended = async () => expect(await hasEnded(merge)).toBe(true);
      await vi.waitFor(ended, 20_000);
      await worker.close();
      expect(await farm.queue.getFailedCount()).toBe(4);
      // A person has removed the job above the parts.
      await merge.remove({ removeChildren: false });
      await submit(farm, [planned], 1);
      expect(await farm.queue.getFailedCount()).toBe(0);
      expect((await farm.queue.getJobs(['prioritized'])).map(({ id }) => id).sort()).toEqual(ids);
      expect(await (await farm.queue.getJob(mergeId(planned.id)))!.getState()).toBe('waiting-children');
    }));

  // Their ids are taken for as long as the jobs are there, and adding them says nothing (OptimalBits/bull#1828, taskforcesh/bullmq#3765).
  test('what is known is not added, and what is known no more is, though its job has ended', () =>
    withFarm(async (farm) => {
      await farm.queue.obliterate({ force: true });
      await submit(farm, [planned], 1);
      const worker = new farm.bullmq.Worker(farm.queue.name, async () => {}, {
        connection: farm.redis,
        prefix: PREFIX,
      });
      await vi.waitFor(async () => expect(await farm.queue.getCompletedCount()).toBe(4), 20_000);
      await worker.close();
      await know(farm, mergeId(planned.id), { reading: {}, notes: [] } as unknown as MergedReading);
      await submit(farm, [planned], 1);
      expect(await farm.queue.getCompletedCount()).toBe(4);
      await farm.redis.del(`${PREFIX}:known:${mergeId(planned.id)}`);
      await submit(farm, [planned], 1);
      expect(await farm.queue.getJobCounts('completed', 'prioritized')).toEqual({ completed: 0, prioritized: 3 });
      await farm.queue.obliterate({ force: true });
    }));

  test('checkpoints whose jobs end are told once', () =>
    withFarm(async (farm) => {
      const ended = endedJobs(farm);
      // What was before.
      await ended();
      await submit(farm, [planned], 1);
      expect(await ended()).toEqual(new Set());
      const worker = new farm.bullmq.Worker(farm.queue.name, async () => {}, {
        connection: farm.redis,
        prefix: PREFIX,
      });
      await vi.waitFor(async () => expect(await farm.queue.getCompletedCount()).toBe(4), 20_000);
      await worker.close();
      expect(await ended()).toEqual(new Set([planned.id]));
      expect(await ended()).toEqual(new Set());
      // More than are read at once, and what ends behind them.
      const events = farm.redis.pipeline();
      const add = (event: string, job: string) =>
        events.xadd(farm.queue.toKey('events'), '*', 'event', event, 'jobId', job);
      for (let i = 0; i < 1500; i++) {
        add('progress', `part-other${i}-0`);
      }
      add('failed', 'reading-last');
      await events.exec();
      expect(await ended()).toEqual(new Set(['last']));
      await farm.queue.obliterate({ force: true });
      expect(await ended()).toEqual(new Set());
    }));

  // A parent of children that are removed runs without them (taskforcesh/bullmq#1752): it must not take what is there for all.
  test('parts that a person removes leave a job that does not wait for ever', () =>
    withFarm(async (farm) => {
      await submit(farm, [planned], 1);
      for (const index of [0, 1, 2]) {
        await (await farm.queue.getJob(shareId(planned.id, index)))!.remove();
      }
      expect(await (await farm.queue.getJob(mergeId(planned.id)))!.getState()).not.toBe('waiting-children');
      await farm.queue.obliterate({ force: true });
    }));

  test('numbers that JSON has none for are known', () =>
    withFarm(async (farm) => {
      const value = { reading: { minimumSharpness: Number.NaN, trace: 1 }, notes: [] } as unknown as MergedReading;
      await know(farm, 'a', value);
      expect(await known(farm, ['a', 'b'])).toEqual([value, undefined]);
      expect(await farm.redis.ttl(`${PREFIX}:known:a`)).toBeGreaterThan(29 * 24 * 3600);
    }));

  test('queues of other versions', () =>
    withFarm(async (farm) => {
      const other = new farm.bullmq.Queue('9.9.9', { connection: farm.redis, prefix: PREFIX });
      await other.add('a', {});
      expect(await otherVersions(farm)).toEqual([{ version: '9.9.9', jobs: 1, workers: 0 }]);
      await other.close();
    }));
});
