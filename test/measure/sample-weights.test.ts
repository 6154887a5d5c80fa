import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { classifier } from './small-classifier.js';

let model: tfl.LayersModel;
let x: tf.Tensor2D;
let tensors: number;
beforeEach(() => {
  model = classifier();
  x = tf.randomNormal([12, 5], 0, 1, 'float32', 3);
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors);
  model.dispose();
  x.dispose();
});

describe('sampleWeight', () => {
  it.each([
    ['an array', (weights: number[]) => weights],
    ['a tensor', (weights: number[]) => tf.tensor1d(weights)],
  ])('weights the samples of the mean: %s', async (_, as) => {
    const twice = tf.tidy(() => tf.concat([x, tf.slice(x, 0, 4)]));
    const weights = as([2, 2, 2, 2, ...Array(8).fill(1)]);
    const weighted = await measureSharpness(model, x, { sampleWeight: weights as number[] });
    const repeated = await measureSharpness(model, twice);
    // The mean divides by 12 here and by 16 there.
    expect(weighted.trace / ((repeated.trace * 16) / 12)).toBeCloseTo(1, 5);
    tf.dispose([twice, weights]);
  });
});
