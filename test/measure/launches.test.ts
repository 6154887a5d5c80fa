import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { measureSharpness } from '../../src/index.js';
import { goldenCases, goldenModel } from './golden-network.js';

/** Operations that compute nothing, and take no time where they share memory. */
const FREE = ['Reshape', 'Identity'];

/** How many operations the backend is asked for. */
async function launchesOf(run: () => Promise<unknown>): Promise<number> {
  const engine = tf.engine() as unknown as { runKernelFunc(params: { kernelName?: string }): unknown };
  const { runKernelFunc } = engine;
  let launches = 0;
  engine.runKernelFunc = (params) => {
    launches += FREE.includes(params.kernelName ?? '') ? 0 : 1;
    return runKernelFunc.call(engine, params);
  };
  try {
    await run();
  } finally {
    engine.runKernelFunc = runKernelFunc;
  }
  return launches;
}

// Where launches are what takes the time, as on a GPU, these numbers are what a sampled reading costs.
it.each([
  ['paper-SmallMLP', 62],
  ['paper-LeNet', 231],
])('a sampled reading of %s takes few launches where memory holds one chunk', async (name, most) => {
  const model = await goldenModel(goldenCases().find((golden) => golden.name === name)!);
  const [, ...shape] = model.inputs[0]!.shape as number[];
  const x = tf.randomUniform([4, ...shape], 0, 1, 'float32', 1);
  const options = { loss: 'categoricalCrossentropy', method: { pairs: 4 }, memoryMB: 1024 } as const;
  const measure = () => measureSharpness(model, x, options);
  await measure();
  const launches = await launchesOf(measure);
  expect(launches).toBeLessThanOrEqual(most);
  x.dispose();
  model.dispose();
});
