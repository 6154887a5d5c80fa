import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { frobeniusNorm, pathNorm } from '../../src/measures.js';
import { smallNetwork } from './small-network.js';

it('the path norm is the sum over all paths, and does not change when layers are rescaled', () => {
  const { model, weights, plain, rescale, widths } = smallNetwork();
  const values = plain();
  // Every path by itself: begin at an input or at a bias, and walk to an output.
  let sum = 0;
  const walk = (layer: number, unit: number, product: number): void => {
    if (layer === 3) {
      sum += product ** 2;
      return;
    }
    for (let next = 0; next < widths[layer + 1]!; next++) {
      walk(layer + 1, next, product * values[2 * layer]![unit * widths[layer + 1]! + next]!);
    }
  };
  for (let input = 0; input < widths[0]!; input++) {
    walk(0, input, 1);
  }
  for (let layer = 0; layer < 3; layer++) {
    values[2 * layer + 1]!.forEach((bias, unit) => {
      walk(layer + 1, unit, bias);
    });
  }
  const network = (input: tf.Tensor) => model.apply(input) as tf.Tensor;
  const { numTensors } = tf.memory();
  const found = pathNorm(network, weights, [3]);
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(plain()).toEqual(values);
  expect(found / Math.sqrt(sum)).toBeCloseTo(1, 5);
  const frobenius = frobeniusNorm(weights);
  expect(frobenius).toBeCloseTo(Math.hypot(...values.flat()), 4);
  rescale();
  expect(pathNorm(network, weights, [3]) / found).toBeCloseTo(1, 5);
  expect(frobeniusNorm(weights) / frobenius).toBeGreaterThan(1.5);
});

it('networks whose squared weights give no paths are refused, and get their weights back', () => {
  const { weights, plain } = smallNetwork();
  const values = plain();
  expect(() => pathNorm((input) => tf.neg(input), weights, [3])).toThrow(
    /^pathNorm: outputs of squared weights must be .*\.$/,
  );
  expect(plain()).toEqual(values);
});

it.each(['softmax', 'sigmoid', 'tanh'] as const)('networks that end with a %s are refused', (activation) => {
  const { model, weights, plain } = smallNetwork();
  weights[5]!.assign(tf.tensor1d([4, 0.1])); // also where a softmax does not move
  const values = plain();
  const end = { softmax: tf.softmax, sigmoid: tf.sigmoid, tanh: tf.tanh }[activation];
  const { numTensors } = tf.memory();
  expect(() => pathNorm((input) => end(model.apply(input) as tf.Tensor), weights, [3])).toThrow(
    /^pathNorm: the outputs are no sums of paths, .*\.$/,
  );
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(plain()).toEqual(values);
});

it('max pooling, and networks without a way through, are sums of paths', () => {
  const kernel = tf.variable(tf.tensor4d([1, 2, 3, 4], [2, 2, 1, 1]));
  const pooled = (input: tf.Tensor) =>
    tf.maxPool(tf.conv2d(input as tf.Tensor4D, kernel as tf.Tensor4D, 1, 'valid'), 2, 2, 'valid');
  expect(pathNorm(pooled, [kernel], [5, 5, 1])).toBeCloseTo(Math.sqrt(4 * 30), 4);
  kernel.assign(tf.zeros([2, 2, 1, 1]));
  expect(pathNorm(pooled, [kernel], [5, 5, 1])).toBe(0);
  kernel.dispose();
});
