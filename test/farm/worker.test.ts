import { setTimeout as wait } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { expect, test, vi } from 'vitest';
import { measureOnQueue } from '../../src/farm/measure-on-queue.js';
import { planFor } from '../../src/farm/plan.js';
import { openFarm, PREFIX, submit } from '../../src/farm/queue.js';
import { VERSION } from '../../src/farm/version.js';
import { type FileReading, measureFiles } from '../../src/files/measure-files.js';
import { testFolder } from '../files/saved-model.js';
import { builtPackage, type Started } from './built-package.js';
import { saveCheckpoints, saveSamples } from './checkpoints.js';
import { describeWithRedis, redisServer } from './redis-server.js';

const [CHECKPOINTS, SHARDS, WORKERS, KILLS] = [40, 5, 4, 20];

const pidOf = (worker: string) => Number(worker.split(':').at(-1));

describeWithRedis('workers', () => {
  const folder = testFolder();
  const built = builtPackage();
  const another = builtPackage('9.9.9');
  const redis = redisServer();

  test('that are killed 20 times in the middle of a job, and a server that goes down, lose nothing and count nothing twice', async () => {
    const models = await saveCheckpoints(folder.path, CHECKPOINTS);
    const data = saveSamples(folder.at('x.npy'), 253);
    const queue = new Queue(VERSION, { connection: redis.client, prefix: PREFIX });
    queue.on('error', () => {});
    const start = () => built.start('worker', '--queue', redis.url, '--lost-after', '2');
    const workers = new Map<number, Started>();
    const hire = () => {
      const worker = start();
      workers.set(worker.process.pid!, worker);
    };
    for (let i = 0; i < WORKERS; i++) {
      hire();
    }
    const readings: FileReading[] = [];
    const client = (async () => {
      const place = { url: redis.url, shards: SHARDS, priority: 100, say: () => {} };
      for await (const result of measureOnQueue(models, { data, backend: 'cpu', method: 'exact' }, place)) {
        expect(result).not.toHaveProperty('problem');
        readings.push(result as FileReading);
      }
    })();
    const victims = new Set<string>();
    while (victims.size < KILLS && readings.length < CHECKPOINTS) {
      // Between two of them something is measured, and no job is chosen twice.
      const parts = (await redis.client.keys(`${PREFIX}:known:part-*`)).length;
      const active = (await queue.getActive()).filter((job) => job?.processedBy && !victims.has(job.id!));
      const job = active.find(({ processedBy }) => workers.has(pidOf(processedBy!)));
      if (job && parts >= (victims.size * CHECKPOINTS * SHARDS) / (KILLS + 4)) {
        const pid = pidOf(job.processedBy!);
        workers.get(pid)!.process.kill('SIGKILL');
        workers.delete(pid);
        victims.add(job.id!);
        hire();
        if (victims.size === KILLS / 2) {
          await redis.restart();
        }
      }
      await wait(50);
    }
    await client;
    expect(victims.size).toBe(KILLS);
    const found = new Map(readings.map((reading) => [reading.model, reading]));
    expect(found.size).toBe(CHECKPOINTS);
    expect(readings).toHaveLength(CHECKPOINTS);
    for await (const alone of measureFiles(models, { data, backend: 'cpu', method: 'exact' })) {
      const { minimumSharpness, trace, samples, pairs } = alone as FileReading;
      expect(found.get(alone.model)).toMatchObject({ minimumSharpness, trace, samples, pairs });
    }
    expect(await queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'failed')).toEqual({
      waiting: 0,
      prioritized: 0,
      active: 0,
      delayed: 0,
      failed: 0,
    });
    await queue.close();
    for (const { process: child } of workers.values()) {
      child.kill('SIGKILL');
    }
  }, 180_000);

  test('that are sent SIGTERM, as by a container, end with the job that they have, and take no other', async () => {
    const models = await saveCheckpoints(folder.at('stopped'), 2, 128);
    const data = saveSamples(folder.at('more.npy'), 8000);
    const queue = new Queue(VERSION, { connection: redis.client, prefix: PREFIX });
    const worker = built.start('worker', '--queue', redis.url);
    await worker.saying('takes jobs from');
    const plan = await planFor({ data, backend: 'cpu', method: 'exact' }, 2);
    const farm = await openFarm(redis.url, '', () => {});
    await submit(farm, await Promise.all(models.map(plan)), 100);
    await farm.close();
    await vi.waitFor(async () => expect(await queue.getActiveCount()).toBe(1), { timeout: 20_000, interval: 10 });
    const [job] = await queue.getActive();
    const ended = new Promise((resolve) => worker.process.once('exit', (_, signal) => resolve(signal)));
    worker.process.kill('SIGTERM');
    expect(await ended).toBe('SIGTERM');
    expect(await redis.client.exists(`${PREFIX}:known:${job!.id}`)).toBe(1);
    expect(await queue.getJobCounts('active', 'failed', 'prioritized')).toEqual({
      active: 0,
      failed: 0,
      prioritized: 3,
    });
    await queue.obliterate({ force: true });
    await queue.close();
  }, 60_000);

  test('of another version take no job, and say so', async () => {
    const [model] = await saveCheckpoints(folder.at('another'), 1);
    const place = { url: redis.url, shards: 1, priority: 100, say: (line: string) => said.push(line) };
    const said: string[] = [];
    const result = measureOnQueue([model!], { random: 5, backend: 'cpu' }, place).next();
    await vi.waitFor(() => expect(said).toEqual([expect.stringMatching(/^no worker of tfjs-sharpness/)]), 20_000);
    const stranger = another.start('worker', '--queue', redis.url);
    await stranger.saying(`1 job for tfjs-sharpness ${VERSION} refused: this worker is 9.9.9, install the same`);
    await stranger.saying('takes jobs from');
    stranger.process.kill('SIGTERM');
    await stranger.saying('it takes no more jobs');
    const own = built.start('worker', '--queue', redis.url);
    expect((await result).value).toMatchObject({ model, samples: 5 });
    own.process.kill('SIGKILL');
  }, 120_000);
});
