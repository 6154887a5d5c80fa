import * as tf from '@tensorflow/tfjs-core';
// tfjs-core has no gradients of its own: this registers them.
import '@tensorflow/tfjs-layers';
import { describe, it } from 'vitest';
import { transposePadding } from '../../src/network/layers/patches.js';
import { convolveImageBack, timesTransposed, transposedTimes } from '../../src/tfjs/products.js';
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

type Pair = [number, number];

describe('the transpose of a convolution of images', () => {
  it.each<[string, { size: Pair; taps: Pair; strides?: Pair; channels?: Pair; same?: boolean }]>([
    ['one pixel', { size: [1, 1], taps: [1, 1] }],
    ['few channels', { size: [9, 12], taps: [5, 5], channels: [6, 3] }],
    ['many channels', { size: [6, 7], taps: [3, 2], channels: [20, 9] }],
    ['strides that leave a rest', { size: [8, 10], taps: [3, 3], strides: [2, 3] }],
    ['strides beyond the kernel', { size: [9, 8], taps: [1, 2], strides: [3, 3] }],
    ['padding', { size: [7, 9], taps: [4, 5], same: true }],
    ['padding and strides', { size: [7, 8], taps: [3, 5], strides: [2, 1], same: true }],
    ['padding, strides beyond the kernel', { size: [7, 7], taps: [2, 1], strides: [3, 2], same: true }],
  ])('%s', (_, { size, taps, strides = [1, 1], channels = [2, 3], same }) => {
    const padding = same ? 'same' : 'valid';
    const inputShape: [number, number, number, number] = [3, ...size, channels[0]];
    tf.tidy(() => {
      const kernel = tf.randomNormal([...taps, ...channels], 0, 1, 'float32', 1) as tf.Tensor4D;
      const geometry = { kernelSize: taps, strides, dilation: [1, 1], padding } as const;
      const positions = size.map((length, axis) => {
        return Math.ceil((length - (same ? 0 : taps[axis]! - 1)) / strides[axis]!);
      }) as Pair;
      const delta = tf.randomNormal([3, ...positions, channels[1]], 0, 1, 'float32', 2) as tf.Tensor4D;
      const around = transposePadding(delta.shape, inputShape, geometry);
      expectClose(
        convolveImageBack(delta, kernel, { inputShape, strides, padding, around }),
        tf.conv2dTranspose(delta, kernel, inputShape, strides, padding),
      );
    });
  });
});
