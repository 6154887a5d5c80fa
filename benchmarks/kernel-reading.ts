/**
 * One contestant of `kernel.ts`: our reading of a network on some images, with the given options, or `"predict"`. Says
 * `{ "ready": versions }`, then takes one reading for every line it reads and answers `{ ms, cpuMs, trace }`, and
 * `values` where it has eigenvalues.
 */
import { createInterface } from 'node:readline';
import type * as tf from '@tensorflow/tfjs';
import { measureSharpness } from 'tfjs-sharpness';
import { mnistDigits } from '../examples/shared/mnist-images.js';
import { startBackend, versionsHere } from './backend.js';
import { type NetworkName, network } from './networks.js';

const [backend, name, samples, given] = process.argv.slice(2) as [string, NetworkName, string, string];
const options = JSON.parse(given) as Parameters<typeof measureSharpness>[2] | 'predict';
const answer = (message: object) => process.stdout.write(`${JSON.stringify(message)}\n`);

if (await startBackend(backend)) {
  const model = await network(name);
  const count = Number(samples);
  const inputs = mnistDigits('train', count).images.reshape([count, 28, 28, 1]);
  const predict = async () => {
    const outputs = model.predict(inputs, { batchSize: count }) as tf.Tensor;
    await outputs.data();
    outputs.dispose();
    return { trace: 0 };
  };
  const { backend: running, ...versions } = versionsHere();
  // Of the others, a backend says no more than its name.
  answer({ ready: { ...versions, ...(backend === 'tensorflow' && { backend: running }) } });
  // Where pairs are drawn, every reading draws others.
  let seed = 0;
  for await (const _line of createInterface({ input: process.stdin })) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    const reading =
      options === 'predict' ? await predict() : await measureSharpness(model, inputs, { ...options, seed: seed++ });
    const ms = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    const top = 'topEigenvalues' in reading ? reading.topEigenvalues?.given : undefined;
    const values = top && { values: top.map(({ value }) => value) };
    answer({ ms, cpuMs: (user + system) / 1000, trace: reading.trace, ...values });
  }
} else {
  answer({ infeasible: 'not there' });
}
