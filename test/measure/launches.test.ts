import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
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

it('a reading of an encoder and a decoder takes a fixed number of launches a time step, for all samples and columns', async () => {
  const { layers } = tfl;
  const launchesFor = async (steps: number, samples: number) => {
    const [source, target] = [1, 2].map(() => tfl.input({ shape: [steps, 3] })) as [
      tfl.SymbolicTensor,
      tfl.SymbolicTensor,
    ];
    const options = { units: 4, recurrentInitializer: 'glorotNormal' } as const;
    const [, ...states] = layers.lstm({ ...options, returnState: true }).apply(source) as tfl.SymbolicTensor[];
    const decoder = layers.lstm({ ...options, returnSequences: true });
    const decoded = decoder.apply(target, { initialState: states }) as tfl.SymbolicTensor;
    const outputs = layers.dense({ units: 3, activation: 'softmax' }).apply(decoded) as tfl.SymbolicTensor;
    const model = tfl.model({ inputs: [source, target], outputs });
    const inputs = [3, 4].map((seed) => tf.randomNormal([samples, steps, 3], 0, 1, 'float32', seed));
    const measure = () => measureSharpness(model, inputs, { loss: 'categoricalCrossentropy', method: 'exact' });
    await measure();
    const launches = await launchesOf(measure);
    tf.dispose(inputs);
    model.dispose();
    return launches;
  };
  const [few, more] = [await launchesFor(4, 8), await launchesFor(8, 8)];
  expect(await launchesFor(4, 40)).toBe(few);
  // Two layers, forward and backward.
  expect((more - few) / 4).toBeLessThanOrEqual(70);
});
