import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { beforeAll, expect, test, vi } from 'vitest';
import { measureOnQueue } from '../../src/farm/measure-on-queue.js';
import { type PlanOptions, planFor } from '../../src/farm/plan.js';
import { mergeId, openFarm, PREFIX, shareId, submit } from '../../src/farm/queue.js';
import { VERSION } from '../../src/farm/version.js';
import { type FarmWorker, startWorker } from '../../src/farm/worker.js';
import { type FileProblem, type FileReading, measureFiles } from '../../src/files/measure-files.js';
import { npy, testFolder } from '../files/saved-model.js';
import { saveCheckpoints, saveSamples } from './checkpoints.js';
import { describeWithRedis, redisServer } from './redis-server.js';

describeWithRedis('a queue', () => {
  const folder = testFolder();
  const redis = redisServer();
  let models: string[];
  let options: PlanOptions;
  beforeAll(async () => {
    // Processes of workers read TypeScript too.
    vi.stubEnv('NODE_OPTIONS', '--import tsx');
    models = await saveCheckpoints(folder.path, 3);
    options = { data: saveSamples(folder.at('x.npy'), 53), backend: 'cpu', method: 'exact' };
  });

  async function asked(given: readonly string[], changes: PlanOptions = {}, said: string[] = []) {
    const results: (FileReading | FileProblem)[] = [];
    const place = { url: redis.url, shards: 3, priority: 1, say: (line: string) => said.push(line) };
    for await (const result of measureOnQueue(given, { ...options, ...changes }, place)) {
      results.push(result);
    }
    return results;
  }

  async function withWorker<T>(use: () => Promise<T>, said: string[] = []): Promise<T> {
    let worker: FarmWorker | undefined;
    try {
      worker = await startWorker(redis.url, {
        concurrency: 1,
        lostAfter: 5,
        longest: 60,
        say: (line) => said.push(line),
      });
      return await use();
    } finally {
      await worker?.close(false);
    }
  }

  test('two that ask the same before a worker is there, and one that has gone, get one reading, which is known later', async () => {
    const said: string[] = [];
    const gone = measureOnQueue(models, options, { url: redis.url, shards: 3, priority: 1, say: () => {} });
    // It puts its jobs into the queue, waits, and is ended as by Ctrl-C.
    gone.next().catch(() => {});
    const queue = new Queue(VERSION, { connection: redis.client, prefix: PREFIX });
    await vi.waitFor(async () => expect(await queue.getJobCountByTypes('prioritized')).toBe(9), 20_000);
    const both = Promise.all([asked(models, {}, said), asked([...models, 'none'])]);
    await vi.waitFor(() => expect(said).toHaveLength(1), 20_000);
    expect(said[0]).toMatch(/^no worker of tfjs-sharpness .* is there yet: npx tfjs-sharpness worker --queue redis:/);
    const [first, second] = await withWorker(() => both);
    expect(second[0]).toEqual({ model: 'none', problem: expect.stringMatching(/no such file/), kind: 'input' });
    for await (const alone of measureFiles(models, options as object)) {
      const { durationMs: _, ...reading } = alone as FileReading;
      for (const results of [first, second]) {
        expect(results.filter(({ model }) => model === alone.model)).toEqual([expect.objectContaining(reading)]);
      }
    }
    // Each part was measured once.
    const completed = await queue.getCompleted();
    expect(completed).toHaveLength(12);
    expect(completed.every(({ attemptsStarted }) => attemptsStarted === 1)).toBe(true);
    // No worker is there.
    expect(await asked(models)).toHaveLength(3);
    expect(await queue.getJobCountByTypes('prioritized', 'waiting', 'active')).toBe(0);
    await queue.close();
  });

  test('a worker that is there is counted', async () => {
    const counts: number[] = [];
    const onSubmitted = () => counts.push(-1);
    const place = { url: redis.url, shards: 1, priority: 1, say: () => {}, onSubmitted };
    const events = { onProgress: ({ workers }: { workers: number }) => counts.push(workers) };
    await withWorker(async () => {
      await measureOnQueue(models.slice(0, 1), { ...options, seed: 7 }, place, events).next();
    });
    expect(counts).toContain(1);
    // All is in the queue before anything is told of it.
    expect(counts.indexOf(-1)).toBe(0);
  });

  test('wrong input is set aside with its reason at once, and tried again when it is asked again', async () => {
    const narrow = folder.at('narrow.npy');
    writeFileSync(narrow, npy([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]));
    await withWorker(async () => {
      const wrong = { problem: expect.stringMatching(/have shape \[4, 2\]/), kind: 'input' };
      expect(await asked(models.slice(0, 1), { data: narrow })).toEqual([{ model: models[0], ...wrong }]);
      const queue = new Queue(VERSION, { connection: redis.client, prefix: PREFIX });
      const failed = await queue.getFailed();
      expect(failed.map(({ attemptsMade }) => attemptsMade)).toEqual([1, 1, 1, 1]);
      expect(failed.map(({ failedReason }) => failedReason)).toEqual(Array(4).fill(wrong.problem));
      expect(await asked(models.slice(0, 1), { data: narrow })).toEqual([{ model: models[0], ...wrong }]);
      expect(await queue.getFailedCount()).toBe(4);
      await queue.close();
    });
  });

  test('parts of what was set aside are waited for no longer', async () => {
    const damaged = folder.at('damaged');
    cpSync(models[0]!, damaged, { recursive: true });
    const weights = readFileSync(`${damaged}/weights.bin`);
    weights.writeFloatLE(Number.NaN, 0);
    writeFileSync(`${damaged}/weights.bin`, weights);
    const told: { readonly parts: number; readonly totalParts: number }[] = [];
    const events = { onProgress: (each: { parts: number; totalParts: number }) => told.push(each) };
    const place = { url: redis.url, shards: 3, priority: 1, say: () => {} };
    const problems: string[] = [];
    await withWorker(async () => {
      for await (const result of measureOnQueue([damaged, models[1]!], { ...options, seed: 41 }, place, events)) {
        if ('problem' in result) {
          problems.push(result.problem);
        }
      }
    });
    expect(problems).toEqual([expect.stringContaining('NaN')]);
    expect(told[0]).toMatchObject({ parts: 0, totalParts: 6 });
    expect(told.at(-1)).toMatchObject({ parts: 3, totalParts: 3 });
    const queue = new Queue(VERSION, { connection: redis.client, prefix: PREFIX });
    await queue.obliterate({ force: true });
    await queue.close();
  });

  test('a server that has forgotten all is asked again', async () => {
    const results = asked(models, { seed: 5 });
    const queue = new Queue(VERSION, { connection: redis.client, prefix: PREFIX });
    await vi.waitFor(async () => expect(await queue.getJobCountByTypes('prioritized')).toBe(9), 20_000);
    await redis.client.flushall();
    expect(await withWorker(() => results)).toHaveLength(3);
    await queue.close();
  });

  test('layers of your own are measured by workers that have the same, and by no others', async () => {
    const layers = folder.at('layers.mjs');
    const source = `import * as tf from '${import.meta.resolve('@tensorflow/tfjs-layers')}';\n`;
    writeFileSync(layers, source);
    writeFileSync(folder.at('copy.mjs'), source);
    writeFileSync(folder.at('other.mjs'), `${source}// Another version.`);
    const said: string[] = [];
    const result = asked(models.slice(0, 1), { require: [layers] }, said);
    const settled = vi.fn();
    result.finally(settled).catch(() => {});
    const options = { concurrency: 1, lostAfter: 5, longest: 60, say: () => {} };
    const others = [
      await startWorker(redis.url, options),
      await startWorker(redis.url, { ...options, require: [folder.at('other.mjs')] }),
    ];
    await vi.waitFor(() => expect(said).toHaveLength(1), 20_000);
    expect(said[0]).toMatch(
      new RegExp(`^no worker of tfjs-sharpness .* with these layers is there yet, only .* --require ${layers}$`),
    );
    expect(settled).not.toHaveBeenCalled();
    await Promise.all(others.map((each) => each.close(false)));
    // It has another path there.
    const own = await startWorker(redis.url, { ...options, require: [folder.at('copy.mjs')] });
    expect(await result).toEqual([expect.objectContaining({ model: models[0], samples: 53 })]);
    await own.close(false);
    await expect(asked(models, { require: ['some-package'] })).rejects.toThrow(
      /^--require some-package: a farm takes a file/,
    );
  });

  test('modules that a job names are not loaded, whoever puts it there', async () => {
    const planned = await (await planFor(options, 1))(models[0]!);
    const farm = await openFarm(redis.url, '', () => {});
    await withWorker(async () => {
      const changes = { layers: { require: ['./none.mjs'] }, data: { data: './none.mjs' } };
      for (const [id, each] of Object.entries(changes)) {
        const checkpoint = { ...planned.checkpoint, options: { ...options, ...each } };
        await submit(farm, [{ id, checkpoint }], 1);
        const reason = async () => (await farm.queue.getJob(mergeId(id)))?.failedReason;
        await vi.waitFor(async () => expect(await reason()).toBe('a worker loads no modules but its own.'), 10_000);
      }
    });
    await farm.close();
  });

  test('a job that has no end is ended once, and keeps its machine from no other', async () => {
    const said: string[] = [];
    const options = { concurrency: 1, lostAfter: 5, longest: 0.001, say: (line: string) => said.push(line) };
    const worker = await startWorker(redis.url, options);
    const [result] = await asked(models.slice(0, 1), { seed: 31 });
    const ended = /^it took longer than 0.001 min, and was ended \(on .*\)$/;
    expect(result).toEqual({ model: models[0], problem: expect.stringMatching(ended), kind: 'failure' });
    expect(said.join()).not.toContain('no other job is taken');
    await worker.close(false);
    const queue = new Queue(VERSION, { connection: redis.client, prefix: PREFIX });
    const failed = (await queue.getFailed()).filter(({ failedReason }) => ended.test(failedReason));
    expect(failed.map(({ attemptsMade }) => attemptsMade)).toEqual([1, 1, 1, 1]);
    await queue.obliterate({ force: true });
    await queue.close();
  });

  test('a machine that fails at everything leaves the jobs to others', async () => {
    const farm = await openFarm(redis.url, '', () => {});
    const plan = await planFor({ ...options, seed: 21 }, 1);
    const planned = await Promise.all(models.map(plan));
    const unseen = planned.map(({ id, checkpoint }) => ({ id, checkpoint: { ...checkpoint, model: '/unseen' } }));
    await submit(farm, unseen, 1);
    const said: string[] = [];
    await withWorker(async () => {
      await vi.waitFor(() => expect(said.join()).toMatch(/no other job is taken for 2 s/), 20_000);
      // It has tried two of three, one time each; a worker without rest has tried all three.
      const tried = await Promise.all(planned.map(({ id }) => farm.queue.getJob(shareId(id, 0))));
      expect(tried.map((job) => job!.attemptsMade).reduce((sum, each) => sum + each)).toBeLessThanOrEqual(2);
      expect(said[1]).toMatch(/: \/unseen: '\/unseen' cannot be read as it could where it was planned: .* \(on .*\)$/);
    }, said);
    await farm.queue.obliterate({ force: true });
    await farm.close();
  });

  /** So many checkpoints that differ in a weight. */
  const differing = (name: string, count: number) =>
    Array.from({ length: count }, (_, i) => {
      const copy = folder.at(`${name}${i}`);
      cpSync(models[0]!, copy, { recursive: true });
      const weights = readFileSync(`${copy}/weights.bin`);
      weights.writeFloatLE(i / 256, 0);
      writeFileSync(`${copy}/weights.bin`, weights);
      return copy;
    });

  test('what is asked of the server for a checkpoint does not grow with their number, and what it tells of is looked at first', async () => {
    const queue = new Queue(VERSION, { connection: redis.client, prefix: PREFIX });
    const copies = differing('many', 300);
    // Jobs that are looked up.
    const asked = async () =>
      Number(/cmdstat_hgetall:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1] ?? 0);
    const measured = async (count: number, isTold: boolean) => {
      const before = await asked();
      let looks = 0;
      const onProgress = () => {
        looks++;
      };
      let onSubmitted = () => {};
      const submitted = new Promise<void>((resolve) => {
        onSubmitted = resolve;
      });
      const place = { url: redis.url, shards: 1, priority: 1, say: () => {}, onSubmitted };
      const given = copies.slice(0, count);
      const results = (async () => {
        const found: string[] = [];
        for await (const { model } of measureOnQueue(given, { ...options, seed: count }, place, { onProgress })) {
          found.push(model);
        }
        return found.sort();
      })();
      await submitted;
      const askedForEach = ((await asked()) - before) / count;
      // In the place of workers.
      const known = redis.client.multi();
      for (const { id } of await queue.getJobs(['waiting-children'])) {
        known.set(`${PREFIX}:known:${id}`, JSON.stringify({ reading: {}, notes: [] }));
        if (isTold) {
          known.xadd(queue.toKey('events'), '*', 'event', 'completed', 'jobId', id!);
        }
      }
      const looksBefore = looks;
      await known.exec();
      expect(await results).toEqual(given.sort());
      await queue.obliterate({ force: true });
      return { askedForEach, looks: looks - looksBefore };
    };
    const few = await measured(100, false);
    const many = await measured(300, true);
    // Asked for all with each 50, it would be 1.6 times as much.
    expect(many.askedForEach).toBeLessThan(1.3 * few.askedForEach);
    // The one that was on its way, and the next; 50 in turn would take 6.
    expect(many.looks).toBeLessThanOrEqual(2);
    await queue.close();
  });

  test('a copy of what was set aside while others were read is not tried again', async () => {
    const narrow = folder.at('narrow3.npy');
    writeFileSync(narrow, npy([5, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
    const copies = differing('lot', 100);
    // Put into the queue in two lots; the copies come behind.
    const given = [...copies.slice(0, 50), 'none', ...copies.slice(50), ...copies.slice(0, 50)];
    const place = { url: redis.url, shards: 1, priority: 1, say: () => {} };
    const results = measureOnQueue(given, { ...options, data: narrow }, place);
    expect((await results.next()).value).toMatchObject({ model: 'none' });
    const queue = new Queue(VERSION, { connection: redis.client, prefix: PREFIX });
    const problems: string[] = [];
    await withWorker(async () => {
      await vi.waitFor(async () => expect(await queue.getFailedCount()).toBe(100), 20_000);
      const added = new Set((await queue.getFailed()).map(({ timestamp }) => timestamp));
      for await (const result of results) {
        expect(result).toMatchObject({ problem: expect.stringMatching(/have shape \[5, 2\]/), kind: 'input' });
        problems.push(result.model);
      }
      const still = (await queue.getFailed()).filter(({ timestamp }) => added.has(timestamp));
      expect(still).toHaveLength(100);
    });
    expect(problems.sort()).toEqual([...copies, ...copies.slice(0, 50)].sort());
    await queue.obliterate({ force: true });
    await queue.close();
  });

  test('what is set aside, and that no worker is there, is told while other models are read', async () => {
    const narrow = folder.at('narrow2.npy');
    writeFileSync(narrow, npy([3, 2], [1, 2, 3, 4, 5, 6]));
    // So many that they are put into the queue in three lots; after the first two comes one that is told at once.
    const copies = differing('copy', 150);
    const given = [...copies.slice(0, 50), 'none', ...copies.slice(50, 100), 'none', ...copies.slice(100)];
    const said: string[] = [];
    const onSubmitted = vi.fn();
    const place = { url: redis.url, shards: 1, priority: 1, say: (line: string) => said.push(line), onSubmitted };
    const results = measureOnQueue(given, { ...options, data: narrow }, place);
    expect((await results.next()).value).toMatchObject({ model: 'none' });
    await wait(5100);
    expect((await results.next()).value).toMatchObject({ model: 'none' });
    expect(said).toEqual([expect.stringMatching(/^no worker .* is there yet/)]);
    const queue = new Queue(VERSION, { connection: redis.client, prefix: PREFIX });
    await withWorker(async () => {
      // Those that put the parts together come first.
      await vi.waitFor(async () => expect(await queue.getFailedCount()).toBeGreaterThan(1), 20_000);
      const { value } = await results.next();
      expect(value).toMatchObject({ problem: expect.stringMatching(/have shape \[3, 2\]/), kind: 'input' });
    });
    expect(onSubmitted).not.toHaveBeenCalled();
    await results.return(undefined);
    await queue.obliterate({ force: true });
    await queue.close();
  });

  test('no server, no redis and no priority are told in a line', async () => {
    const refused = (url: string, priority = 1, changes: PlanOptions = {}) =>
      measureOnQueue(models, { ...options, ...changes }, { url, shards: 1, priority, say: () => {} }).next();
    await expect(refused('redis://u:secret@127.0.0.1:1')).rejects.toThrow(/^--queue redis:\/\/127.* is no use/);
    // Before the data are read.
    const data = folder.at('none.npy');
    await expect(refused('redis://127.0.0.1:1', 1, { data })).rejects.toThrow(/is no use/);
    await expect(refused(redis.url, 1, { data })).rejects.toThrow(/there is no such file/);
    await expect(refused('http://host')).rejects.toThrow(/^--queue is given no address/);
    await expect(refused(redis.url, 0)).rejects.toThrow(/^--priority must be a whole number/);
  });
});
