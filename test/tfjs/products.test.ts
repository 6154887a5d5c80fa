import * as tf from '@tensorflow/tfjs-core';
// tfjs-core has no gradients of its own: this registers them.
import '@tensorflow/tfjs-layers';
import { describe, it } from 'vitest';
import { timesTransposed, transposedTimes } from '../../src/tfjs/products.js';
import { expectClose } from './transpose.js';

/** The form in which a product is defined; every other one has the same numbers and the same gradients. */
type Product = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

function expectSame(found: Product, plain: Product, shapes: readonly [number[], number[]]): void {
  tf.tidy(() => {
    const [a, b] = shapes.map((shape, i) => tf.randomNormal(shape, 0, 1, 'float32', 1 + i));
    const product = plain(a, b);
    expectClose(found(a, b), product);
    const delta = tf.randomNormal(product.shape, 0, 1, 'float32', 3);
    const [ofFound, ofPlain] = [found, plain].map((f) => tf.grads(f)([a, b], delta));
    ofFound.forEach((gradient, i) => {
      expectClose(gradient, ofPlain[i]);
    });
  });
}

describe('products of matrices', () => {
  it.each([
    [1, 1, 1],
    [1, 7, 3],
    [5, 1, 4],
    [3, 4, 1],
    [17, 9, 12],
  ])('%i x %i times %i columns', (m, k, n) => {
    expectSame(
      (a, b) => timesTransposed(a as tf.Tensor2D, b as tf.Tensor2D),
      (a, b) => tf.matMul(a, b, false, true),
      [
        [m, k],
        [n, k],
      ],
    );
    expectSame(
      (a, b) => transposedTimes(a as tf.Tensor2D, b as tf.Tensor2D),
      (a, b) => tf.matMul(a, b, true, false),
      [
        [k, m],
        [k, n],
      ],
    );
  });
});
