/**
 * One contestant of `kernel.ts`: our reading of a network on some images. Says `{ "ready": versions }`, then takes one reading
 * for every line it reads and answers `{ ms, cpuMs, trace }`.
 */
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs';
import { measureSharpness } from 'tfjs-sharpness';
import { mnistDigits } from '../examples/shared/mnist-images.js';
import { backendVersion, startBackend } from './backend.js';
import { type NetworkName, network } from './networks.js';

const [backend, name, samples] = process.argv.slice(2) as [string, NetworkName, string];
const answer = (message: object) => process.stdout.write(`${JSON.stringify(message)}\n`);

if (await startBackend(backend)) {
  const model = await network(name);
  const count = Number(samples);
  const inputs = mnistDigits('train', count).images.reshape([count, 28, 28, 1]);
  answer({ ready: { 'tf.js': tf.version_core, ...(backend === 'tensorflow' && { backend: backendVersion() }) } });
  for await (const _line of createInterface({ input: process.stdin })) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    const { trace } = await measureSharpness(model, inputs);
    const ms = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    answer({ ms, cpuMs: (user + system) / 1000, trace });
  }
} else {
  answer({ infeasible: 'not there' });
}
