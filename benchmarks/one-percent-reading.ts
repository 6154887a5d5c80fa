/**
 * One contestant of `one-percent.ts` on tf.js. Says `{ "ready": versions }`, then takes one turn for every line it reads and
 * answers `{ ms, cpuMs, trace, sharpness, images }`, `sharpness` where it is a reading of all images.
 */
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs';
import { measureSharpness } from 'tfjs-sharpness';
import { startBackend, versionsHere } from './backend.js';
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

  const predict = async (batchSize: number) => {
    const outputs = model.predict(inputs, { batchSize }) as tf.Tensor;
    // A GPU works on behind.
    await outputs.data();
    outputs.dispose();
  };
  let fastest = samples;
  if (contestant === 'predict') {
    const times: { size: number; ms: number }[] = [];
    for (const size of [...predictBatches.filter((each) => each < samples), samples]) {
      await predict(size);
      const start = performance.now();
      for (let i = 0; i < 3; i++) {
        await predict(size);
      }
      times.push({ size, ms: performance.now() - start });
    }
    fastest = times.sort((a, b) => a.ms - b.ms)[0]!.size;
  }

  const turns: Record<string, (turn: number) => Promise<{ trace: number; sharpness?: number; images: number }>> = {
    predict: async () => {
      await predict(fastest);
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

  answer({ ready: versionsHere() });
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
