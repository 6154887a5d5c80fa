/**
 * One contestant of `one-percent.ts` on tf.js. Says `{ "ready": versions }`, then takes one turn for every line it reads and
 * answers `{ ms, cpuMs, trace, sharpness, images }`, `sharpness` where it is a reading of all images.
 */
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs';
import { measureSharpness } from 'tfjs-sharpness';
import { backendVersion, startBackend } from './backend.js';
import { type NetworkName, network } from './networks.js';
import { floats, setWeights } from './trained-network.js';

const MINIBATCH = 100;
const predictBatches = [32, 128, 512];

const [contestant, backend, name, folder] = process.argv.slice(2) as [string, string, NetworkName, string];
const answer = (message: object) => process.stdout.write(`${JSON.stringify(message)}\n`);

if (await startBackend(backend)) {
  const model = await network(name);
  setWeights(model, floats(`${folder}weights.f32`));
  const inputs = tf.tensor(floats(`${folder}images.f32`)).reshape([-1, 28, 28, 1]);
  const samples = inputs.shape[0] as number;

  const predict = (batchSize: number) => tf.dispose(model.predict(inputs, { batchSize }));
  let fastest = samples;
  if (contestant === 'predict') {
    const times = [...predictBatches.filter((size) => size < samples), samples].map((size) => {
      predict(size);
      const start = performance.now();
      for (let i = 0; i < 3; i++) {
        predict(size);
      }
      return { size, ms: performance.now() - start };
    });
    fastest = times.sort((a, b) => a.ms - b.ms)[0]!.size;
  }

  const turns: Record<string, (turn: number) => Promise<{ trace: number; sharpness?: number; images: number }>> = {
    predict: async () => {
      predict(fastest);
      return { trace: 0, images: fastest };
    },
    tolerance: async (seed) => {
      const reading = await measureSharpness(model, inputs, { method: { tolerance: 0.01 }, seed });
      return { trace: reading.trace, sharpness: reading.minimumSharpness, images: samples };
    },
    exact: async () => {
      const { trace, minimumSharpness } = await measureSharpness(model, inputs);
      return { trace, sharpness: minimumSharpness, images: samples };
    },
    minibatches: async (turn) => {
      const size = Math.min(MINIBATCH, samples / 4);
      const batch = inputs.slice([(turn * size) % samples], [size]);
      const { trace } = await measureSharpness(model, batch);
      batch.dispose();
      return { trace, images: size };
    },
  };

  answer({ ready: { 'tf.js': tf.version_core, backend: backendVersion() } });
  let turn = 0;
  for await (const _line of createInterface({ input: process.stdin })) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    const found = await turns[contestant]!(turn++);
    const ms = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    answer({ ms, cpuMs: (user + system) / 1000, ...found });
  }
} else {
  answer({ infeasible: 'not there' });
}
