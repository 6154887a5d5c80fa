/*
 * What a queue costs, in time and in Redis' memory, and what a second worker brings: benchmarks/results/farm.md.
 *
 *     npm run bench:farm
 *
 * Needs redis-server, which it starts on a port of its own.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { runWithOptions } from '../examples/shared/command-line.js';
import { measureOnPool } from '../src/farm/measure-on-pool.js';
import { measureOnQueue } from '../src/farm/measure-on-queue.js';
import { type PlannedCheckpoint, planFor } from '../src/farm/plan.js';
import { know, known, openFarm, shareId, submit } from '../src/farm/queue.js';
import type { MeasuredShare } from '../src/farm/task.js';
import { startWorker } from '../src/farm/worker.js';
import type { FileBackend } from '../src/files/backend.js';
import { machine, resultsFolder, table } from './report.js';

const usage = `usage: npm run bench:farm -- [options]

What a queue costs, in time and in Redis' memory, and what a second worker brings. Needs redis-server.

  --backend NAME  wasm or cpu (default wasm)
  --quick         few networks on few samples
  --out FOLDER    where the result goes (default ${resultsFolder})
  --help          show this text`;

const PORT = 16_379;
const SHARDS = 5;
const url = `redis://127.0.0.1:${PORT}`;
const silent = () => {};

/** A network of 64 - 1024 - 10, by a seed. */
async function save(folder: string, seed: number): Promise<string> {
  const kernelInitializer = tfl.initializers.glorotUniform({ seed });
  const layer = { activation: 'relu', kernelInitializer } as const;
  const model = tfl.sequential({
    layers: [
      tfl.layers.dense({ ...layer, inputShape: [64], units: 1024 }),
      tfl.layers.dense({ ...layer, units: 10, activation: 'softmax' }),
    ],
  });
  const at = join(folder, String(seed));
  mkdirSync(at);
  await model.save({
    save: async ({ modelTopology, weightSpecs, weightData }) => {
      writeFileSync(join(at, 'weights.bin'), Buffer.from(weightData as ArrayBuffer));
      const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
      writeFileSync(join(at, 'model.json'), JSON.stringify({ modelTopology, weightsManifest }));
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
  });
  model.dispose();
  return at;
}

const defaults = { backend: 'wasm', quick: false as const, out: resultsFolder };

await runWithOptions(usage, defaults, ['wasm', 'cpu'], async ({ backend, quick, out }) => {
  const folder = mkdtempSync(join(tmpdir(), 'tfjs-sharpness-farm-'));
  await tf.setBackend('cpu');
  const redis = spawn('redis-server', ['--port', String(PORT), '--save', '', '--dir', folder], { stdio: 'ignore' });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  try {
    const models = await Promise.all(Array.from({ length: quick ? 4 : 20 }, (_, seed) => save(folder, seed + 1)));
    const options = { random: quick ? 100 : 4000, backend: backend as FileBackend, method: 'exact' } as const;
    const rows: string[][] = [];
    const timed = async (use: AsyncIterable<unknown>) => {
      const start = performance.now();
      for await (const _ of use) {
        // All of them.
      }
      return (performance.now() - start) / 1000;
    };
    const jobs = models.length * SHARDS;
    const row = (where: string, workers: number, seconds: number) =>
      rows.push([where, String(workers), seconds.toFixed(1), (jobs / seconds).toFixed(1)]);
    for (const workers of [1, 2]) {
      row('pool', workers, await timed(measureOnPool(models, options, { workers, shards: SHARDS })));
      const worker = await startWorker(url, { concurrency: workers, lostAfter: 60, longest: 60, say: silent });
      // By the seed, so that nothing is known.
      const asked = { ...options, seed: workers };
      row(
        'queue',
        workers,
        await timed(measureOnQueue(models, asked, { url, shards: SHARDS, priority: 1, say: silent })),
      );
      await worker.close(false);
    }

    const farm = await openFarm(url, '', silent);
    const plan = await planFor({ ...options, seed: 1 }, SHARDS);
    const { id, checkpoint } = await plan(models[0]!);
    const [share] = (await known<MeasuredShare>(farm, [shareId(id, 0)])) as [MeasuredShare];
    const memory = async () => Number(/used_memory:(\d+)/.exec(await farm.redis.info('memory'))![1]);
    const copies: PlannedCheckpoint[] = Array.from({ length: 1000 }, (_, i) => ({ id: `copy${i}`, checkpoint }));
    const parts = copies.flatMap(({ id: copy }) => Array.from({ length: SHARDS }, (_, index) => shareId(copy, index)));
    const before = await memory();
    const start = performance.now();
    await submit(farm, copies, 100);
    const submitted = performance.now();
    const queued = await memory();
    await Promise.all(parts.map((part) => know(farm, part, share)));
    const knownToo = await memory();
    // All parts are known, so that a worker has nothing but the queue to do; putting parts together is left out.
    let done = 0;
    const begin = performance.now();
    const noop = new farm.bullmq.Worker(
      farm.queue.name,
      async ({ data }: { data: { id: string; index?: number } }) => {
        if (data.index !== undefined) {
          await known(farm, [shareId(data.id, data.index)]);
          await know(farm, shareId(data.id, data.index), share);
        }
        done++;
      },
      { connection: farm.redis, prefix: 'tfjs-sharpness', metrics: { maxDataPoints: 100 } },
    );
    while (done < parts.length + copies.length) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const all = parts.length + copies.length;
    const perJob = (performance.now() - begin + submitted - start) / all;
    await noop.close();
    await farm.close();
    const kB = (bytes: number, count: number) => (bytes / count / 1000).toFixed(1);
    const page = `# What a queue costs

\`npm run bench:farm\`. ${machine({ 'tf.js': tf.version_core, backend })} Redis is on the same machine.

${models.length} networks of 64 - 1024 - 10 on ${options.random} samples, ${SHARDS} parts each, with the start of the processes:

${table(['where', 'workers', 'seconds', 'parts a second'], rows).join('\n')}

The queue alone, ${all} jobs that have nothing to measure: ${perJob.toFixed(1)} ms a job, to put it in, take it, look up and keep what is known, and end it.

Redis' memory: ${kB(queued - before, all)} kB a job in the queue, ${kB(knownToo - queued, parts.length)} kB a part that is known (exact, 4 weight tensors).
`;
    console.log(page);
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, 'farm.md'), page);
  } finally {
    redis.kill();
    rmSync(folder, { recursive: true });
  }
});
