import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { freshClassifier, model, x } from './small-classifier.js';

freshClassifier();

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
