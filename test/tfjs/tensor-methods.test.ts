import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { addTensorMethods } from '../../src/tfjs/tensor-methods.js';

test.each([
  [3, 2],
  [2, 3],
])('Orthogonal of [%d, %d] has rows or columns of length 1 at right angles', (rows, columns) => {
  addTensorMethods();
  tf.tidy(() => {
    const drawn = tfl.initializers.orthogonal({ seed: 1 }).apply([rows, columns]) as tf.Tensor2D;
    const products = tf.matMul(drawn, drawn, rows > columns, rows <= columns);
    const off = tf.max(tf.abs(tf.sub(products, tf.eye(2))));
    expect(off.dataSync()[0]).toBeLessThan(1e-5);
  });
});
