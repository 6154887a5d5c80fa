import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { MinimumSharpnessOptions } from '../../src/training/callback-options.js';
import { minimumSharpness } from '../../src/training/minimum-sharpness.js';

/** mulberry32: a small generator that stands in for Math.random, from which tf.js takes its seeds and its shuffling. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function network(): tfl.Sequential {
  const model = tfl.sequential({
    layers: [
      tfl.layers.conv2d({ filters: 2, kernelSize: 2, activation: 'relu', inputShape: [4, 4, 1] }),
      tfl.layers.batchNormalization(),
      tfl.layers.maxPooling2d({ poolSize: 2, strides: 1 }),
      tfl.layers.flatten(),
      tfl.layers.dropout({ rate: 0.5 }),
      tfl.layers.dense({ units: 3, activation: 'softmax' }),
    ],
  });
  model.compile({ loss: 'categoricalCrossentropy', optimizer: tf.train.adam(0.01), metrics: ['accuracy'] });
  return model;
}

describe('the callback leaves training untouched, bit for bit', () => {
  let x: tf.Tensor4D;
  let y: tf.Tensor2D;
  beforeEach(() => {
    vi.spyOn(console, 'info').mockImplementation(() => {});
    x = tf.randomNormal([12, 4, 4, 1], 0, 1, 'float32', 1);
    y = tf.oneHot(
      Array.from({ length: 12 }, (_, i) => i % 3),
      3,
    ) as tf.Tensor2D;
  });
  afterEach(() => {
    vi.restoreAllMocks();
    tf.dispose([x, y]);
  });

  type Train = (model: tfl.Sequential, callbacks: tfl.Callback[]) => Promise<tfl.History>;
  const fit: Train = (model, callbacks) =>
    model.fit(x, y, { epochs: 2, batchSize: 5, shuffle: true, validationSplit: 0.1, verbose: 0, callbacks });
  const fitDataset: Train = (model, callbacks) => {
    const dataset = tfd
      .zip({ xs: tfd.array(x.arraySync()), ys: tfd.array(y.arraySync()) } as never)
      .shuffle(12, 'seed') // without a seed it would not draw from Math.random
      .batch(5) as tfd.Dataset<{ xs: tf.Tensor; ys: tf.Tensor }>;
    return model.fitDataset(dataset, { epochs: 2, validationData: [x, y], verbose: 0, callbacks });
  };

  /** Everything that training left: weights, moving statistics, the optimizer's state, losses, the generator. */
  async function outcome(train: Train, options?: MinimumSharpnessOptions) {
    vi.spyOn(Math, 'random').mockImplementation(seeded(7));
    const model = network();
    const callback = options && minimumSharpness(options);
    let readings = 0;
    callback?.readings$.subscribe(() => readings++);
    const { history } = await train(model, callback ? [callback] : []);
    const { minimumSharpness: _, ...losses } = history;
    const state = await (model.optimizer as tf.AdamOptimizer).getWeights();
    const result = {
      weights: model.getWeights().map((weight) => Array.from(weight.dataSync())),
      state: state.map(({ tensor }) => Array.from(tensor.dataSync())),
      losses,
      random: Math.random(),
    };
    model.dispose();
    model.optimizer?.dispose();
    return { result, readings };
  }

  it.each([
    ['fit', fit],
    ['fitDataset', fitDataset],
  ] as const)('%s', async (name, train) => {
    const { result: expected } = await outcome(train);
    const batches = name === 'fit' ? 4 : 6;
    const variants: [MinimumSharpnessOptions, number][] = [
      [{ every: { batches: 1 } }, batches],
      [{ every: { batches: 1 }, data: x }, batches],
      [{ every: { epochs: 1 } }, 2],
    ];
    for (const [options, count] of variants) {
      const { result, readings } = await outcome(train, options);
      expect(readings).toBe(count);
      expect(result).toEqual(expected);
    }
  });

  it('and a different seed would show', async () => {
    const { result } = await outcome(fit);
    vi.restoreAllMocks();
    const other = await outcome((model, callbacks) => {
      Math.random();
      return fit(model, callbacks);
    });
    expect(other.result.weights).not.toEqual(result.weights);
  });
});
