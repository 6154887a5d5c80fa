import * as tf from '@tensorflow/tfjs-core';
import { it } from 'vitest';
import { columnsTimesTransposed } from '../../src/tfjs/column-products.js';
import { expectClose } from './transpose.js';

it.each([
  [1, 1, 1, 1],
  [3, 4, 2, 5],
  [2, 50, 30, 1],
])('%i columns of %i vectors of length %i times the transpose of a matrix, to length %i', (r, n, o, f) => {
  tf.tidy(() => {
    const vectors = tf.randomNormal([r, n, o], 0, 1, 'float32', 1) as tf.Tensor3D;
    const matrix = tf.randomNormal([f, o], 0, 1, 'float32', 2) as tf.Tensor2D;
    const terms = tf.mul(tf.reshape(vectors, [r, n, 1, o]), tf.reshape(matrix, [1, 1, f, o]));
    expectClose(columnsTimesTransposed(vectors, matrix), tf.sum(terms, 3));
  });
});
