/**
 * One contestant of `scaling.ts`: readings with one method. A line that asks for one is the JSON of a setting, and of whether
 * to watch the memory; the answer is `{ ms, cpuMs, trace, peakMB }`, with `peakMB` 0 where it was not watched.
 */
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs';
import { measureSharpness } from 'tfjs-sharpness';
import { backendVersion, startBackend } from './backend.js';
import { imagesOf, methods, networkOf, type Setting } from './scaling-sweeps.js';

const [name, backend, memory] = process.argv.slice(2) as [keyof typeof methods, string, string];
const answer = (message: object) => process.stdout.write(`${JSON.stringify(message)}\n`);

if (await startBackend(backend)) {
  const { method } = methods[name]!;
  const memoryMB = Number(memory);
  answer({ ready: { 'tf.js': tf.version_core, backend: backendVersion() } });
  let current = '';
  let model: tf.LayersModel | undefined;
  let images: tf.Tensor2D | undefined;
  for await (const line of createInterface({ input: process.stdin })) {
    const { setting, watch } = JSON.parse(line) as { setting: Setting; watch: boolean };
    const key = JSON.stringify(setting);
    if (key !== current) {
      model?.dispose();
      tf.dispose(images ?? []);
      current = key;
      model = networkOf(setting);
      images = imagesOf(setting);
    }
    let trace = 0;
    const read = async () => {
      ({ trace } = await measureSharpness(model!, images!, { method, memoryMB }));
    };
    if (watch) {
      const { numBytes } = tf.memory();
      // What is asked of a kernel's profile are the bytes alone; its time is not taken.
      const { peakBytes } = await tf.profile(async () => {
        await read();
        return [];
      });
      answer({ ms: 0, cpuMs: 0, trace, peakMB: (peakBytes - numBytes) / 2 ** 20 });
    } else {
      const cpu = process.cpuUsage();
      const start = performance.now();
      await read();
      const ms = performance.now() - start;
      const { user, system } = process.cpuUsage(cpu);
      answer({ ms, cpuMs: (user + system) / 1000, trace, peakMB: 0 });
    }
  }
} else {
  answer({ infeasible: 'not there' });
}
