/**
 * One contestant of `overhead.ts`: trainings with one schedule, each from the same weights, of as many epochs as the line that
 * asks for it says. Answers `{ ms, cpuMs, trace, readings, givenUp, readingMs }`.
 */
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs';
import { minimumSharpness, type SharpnessReading } from 'tfjs-sharpness';
import { mnistDigits } from '../examples/shared/mnist-images.js';
import { backendVersion, startBackend } from './backend.js';
import { type NetworkName, network } from './networks.js';
import { type ScheduleName, schedules } from './overhead-schedules.js';
import { setWeights, weightsOf } from './trained-network.js';

const BATCH = 64;

const [schedule, backend, name, count] = process.argv.slice(2) as [ScheduleName, string, NetworkName, string];
const answer = (message: object) => process.stdout.write(`${JSON.stringify(message)}\n`);

if (await startBackend(backend)) {
  const samples = Number(count);
  const model = await network(name);
  const initial = weightsOf(model);
  const { images, labels } = mnistDigits('train', samples);
  const inputs = images.reshape([samples, 28, 28, 1]);
  const { withData, options } = schedules[schedule];
  // The hint that minibatches are noisy is known here.
  console.warn = () => {};

  answer({ ready: { 'tf.js': tf.version_core, backend: backendVersion() } });
  for await (const epochs of createInterface({ input: process.stdin })) {
    setWeights(model, initial);
    model.compile({ optimizer: tf.train.adam(0.001), loss: 'categoricalCrossentropy' });
    const callback = options && minimumSharpness({ ...options, ...(withData ? { data: inputs } : {}) });
    const readings: SharpnessReading[] = [];
    callback?.readings$.subscribe((reading) => readings.push(reading));
    let givenUp = 0;
    let failure: string | undefined;
    callback?.problems$.subscribe(({ kind, message }) => {
      if (kind === 'skipped') {
        givenUp++;
      } else {
        failure ??= message;
      }
    });
    const cpu = process.cpuUsage();
    const start = performance.now();
    await model.fit(inputs, labels, {
      epochs: Number(epochs),
      batchSize: BATCH,
      shuffle: false,
      verbose: 0,
      callbacks: callback ? [callback] : [],
    });
    const ms = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    callback?.dispose();
    if (failure !== undefined) {
      throw new Error(failure);
    }
    model.optimizer.dispose();
    answer({
      ms,
      cpuMs: (user + system) / 1000,
      trace: readings.at(-1)?.trace ?? 0,
      readings: readings.length,
      givenUp,
      readingMs: readings.reduce((sum, { durationMs }) => sum + durationMs, 0),
    });
  }
} else {
  answer({ infeasible: 'not there' });
}
