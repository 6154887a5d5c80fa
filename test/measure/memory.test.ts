import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, test, vi } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';
import { chain, randomInputs } from './stacked-network.js';

vi.mock('../../src/tfjs/kernel-work.js', () => ({
  watchKernels: <T>(_see: (ms: number) => void, scope: () => T) => scope(),
}));

const MB = 2 ** 20;

const { dense, conv2d, maxPooling2d, batchNormalization, reLU, flatten, globalAveragePooling2d } = tfl.layers;
const softmax = (units: number) => dense({ units, activation: 'softmax' });

/** Networks whose deltas are large for the arithmetic they take, so that a few samples fill a budget. */
const networks: Record<string, () => tfl.LayersModel> = {
  'wide dense layers': () =>
    chain(
      dense({ units: 3000, activation: 'relu', inputShape: [4] }),
      dense({ units: 8, activation: 'relu' }),
      softmax(20),
    ),
  'a convolution at full resolution': () =>
    chain(
      conv2d({ filters: 24, kernelSize: 1, activation: 'relu', inputShape: [24, 24, 1] }),
      globalAveragePooling2d({}),
      softmax(10),
    ),
  'convolutions, batch norm and max pooling': () =>
    chain(
      conv2d({ filters: 8, kernelSize: 3, padding: 'same', inputShape: [20, 20, 1] }),
      batchNormalization(),
      reLU(),
      maxPooling2d({ poolSize: 2 }),
      conv2d({ filters: 8, kernelSize: 3, activation: 'relu' }),
      flatten(),
      softmax(10),
    ),
};

/**
 * The most bytes that lay in tensors at any time during a measurement, above those that lay there before. No work is
 * counted, so that only the budget bounds the chunks and their pieces.
 */
async function peakBytes(
  model: tfl.LayersModel,
  samples: number,
  memoryMB: number,
  method: MeasureOptions['method'] = 'exact',
): Promise<number> {
  const inputs = randomInputs(model, samples);
  const { numBytes, numTensors } = tf.memory();
  const profile = await tf.profile(async () => {
    await measureSharpness(model, inputs, { loss: 'categoricalCrossentropy', method, memoryMB });
    return [];
  });
  expect(tf.memory().numTensors).toBe(numTensors);
  inputs.dispose();
  return profile.peakBytes - numBytes;
}

describe.each(Object.entries(networks))('memory for %s', (_name, make) => {
  test.each([
    [16, 20],
    [64, 80],
    [256, 320],
  ])(
    '%i MB hold, and are made use of',
    async (memoryMB, samples) => {
      const model = make();
      const peak = await peakBytes(model, samples, memoryMB);
      expect(peak).toBeLessThanOrEqual(1.25 * memoryMB * MB);
      expect(peak).toBeGreaterThan(0.4 * memoryMB * MB);
      model.dispose();
    },
    120_000,
  );

  test.each([{ pairs: 60 }, { tolerance: 0.3 }])(
    '2 MB hold for %o, which a single chunk would not',
    async (method) => {
      const model = make();
      expect(await peakBytes(model, 60, 1024, method)).toBeGreaterThan(1.25 * 2 * MB);
      expect(await peakBytes(model, 60, 2, method)).toBeLessThanOrEqual(1.25 * 2 * MB);
      model.dispose();
    },
    120_000,
  );
});

test('the budget is made use of where the forward pass takes more than the deltas', async () => {
  const model = chain(
    conv2d({ filters: 16, kernelSize: 3, inputShape: [12, 12, 1] }),
    conv2d({ filters: 2, kernelSize: 7 }),
    flatten(),
    softmax(10),
  );
  const peak = await peakBytes(model, 100, 8);
  expect(peak).toBeLessThanOrEqual(1.25 * 8 * MB);
  expect(peak).toBeGreaterThan(0.3 * 8 * MB);
  model.dispose();
});

test('the size of the chunks is found once for a budget, and remembered', async () => {
  const model = chain(dense({ units: 120, activation: 'relu', inputShape: [4] }), softmax(10));
  const inputs = randomInputs(model, 300);
  const kernelsRun = async (memoryMB: number) => {
    const { numBytes } = tf.memory();
    const profile = await tf.profile(async () => {
      await measureSharpness(model, inputs, { loss: 'categoricalCrossentropy', memoryMB });
      return [];
    });
    expect(profile.peakBytes - numBytes).toBeLessThanOrEqual(1.25 * memoryMB * MB);
    return profile.kernels.length;
  };
  const first = await kernelsRun(64);
  const second = await kernelsRun(64);
  expect(second).toBeLessThan(first);
  expect(await kernelsRun(0.25)).toBeGreaterThan(3 * first);
  expect(await kernelsRun(64)).toBe(second);
  tf.dispose(inputs);
  model.dispose();
});

test('10,000 samples take no more than 1,000', async () => {
  const model = chain(dense({ units: 120, activation: 'relu', inputShape: [4] }), softmax(10));
  const memoryMB = 0.25;
  const few = await peakBytes(model, 1000, memoryMB);
  const many = await peakBytes(model, 10_000, memoryMB);
  expect(few).toBeGreaterThan(0.4 * memoryMB * MB);
  expect(few).toBeLessThanOrEqual(1.25 * memoryMB * MB);
  expect(Math.abs(many / few - 1)).toBeLessThan(0.1);
  model.dispose();
}, 120_000);

test('1,000 classes, a thousand rows a sample, stay within the bound', async () => {
  const model = chain(dense({ units: 12, activation: 'relu', inputShape: [4] }), softmax(1000));
  const peak = await peakBytes(model, 20, 16);
  expect(peak).toBeLessThanOrEqual(1.25 * 16 * MB);
  expect(peak).toBeGreaterThan(0.4 * 16 * MB);
  model.dispose();
}, 120_000);
