import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { squaredNormsAndOnes, sumOfSquaresOfLast } from '../../src/tfjs/sum-of-squares.js';
import { expectClose } from './transpose.js';

it.each([[[7]], [[3, 1]], [[2, 3, 5]], [[4, 200]], [[2, 3, 2, 4]]])(
  'sums squares along the last axis of %j',
  (shape) => {
    const x = tf.randomNormal(shape, 0, 1, 'float32', 1);
    tf.tidy(() => expectClose(sumOfSquaresOfLast(x), tf.sum(tf.square(x), -1)));
    x.dispose();
  },
);

it('has the gradient 2 x, also at 0, where a norm has none', () => {
  tf.tidy(() => {
    const x = tf.tensor2d([
      [1, -2, 3],
      [0, 0, 0],
    ]);
    const gradient = tf.grad((given) => tf.mul(sumOfSquaresOfLast(given), tf.tensor1d([10, 1])))(x);
    expect(gradient.arraySync()).toEqual([
      [20, -40, 60],
      [0, 0, 0],
    ]);
  });
});

it('squaredNormsAndOnes has a column for each tensor and one of ones', () => {
  tf.tidy(() => {
    const found = squaredNormsAndOnes([tf.tensor2d([[3, 4], [0, 0]]), tf.tensor3d([[[1], [2]], [[2], [2]]])]); // biome-ignore format: one line
    expectClose(found, tf.tensor2d([[25, 5, 1], [0, 8, 1]])); // biome-ignore format: one line
  });
});
