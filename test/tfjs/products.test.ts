import * as tf from '@tensorflow/tfjs-core';
// tfjs-core has no gradients of its own: this registers them.
import '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { transposePadding } from '../../src/network/layers/patches.js';
import {
  convolveImageBack,
  gramMatrices,
  isCheaperByGram,
  normsOfGradients,
  timesTransposed,
  transposedTimes,
} from '../../src/tfjs/products.js';
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
    ['a tall kernel', { size: [12, 12], taps: [5, 5], channels: [2, 20] }],
    ['a kernel as large as the image', { size: [5, 4], taps: [5, 4], channels: [3, 40] }],
    ['many outputs, strides', { size: [9, 10], taps: [3, 4], channels: [2, 30], strides: [2, 3] }],
    ['many outputs, strides, padding', { size: [9, 8], taps: [3, 4], channels: [2, 30], strides: [2, 3], same: true }],
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

describe.each<[string, { positions: number; fanIn: number; fanOut: number; columns: number }]>([
  ['small', { positions: 3, fanIn: 2, fanOut: 4, columns: 2 }],
  ['one column', { positions: 40, fanIn: 30, fanOut: 20, columns: 1 }],
  ['wide inputs', { positions: 50, fanIn: 60, fanOut: 9, columns: 3 }],
  ['wide deltas', { positions: 60, fanIn: 20, fanOut: 10, columns: 9 }],
])('products of samples: %s', (_, { positions, fanIn, fanOut, columns }) => {
  const samples = 3;
  const rows = () => tf.randomNormal([samples, positions, fanIn], 0, 0.3, 'float32', 1) as tf.Tensor3D;
  const deltas = () => tf.randomNormal([columns * samples, positions, fanOut], 0, 0.3, 'float32', 2) as tf.Tensor3D;

  it('gramMatrices', () => {
    const plain = (x: tf.Tensor) => tf.matMul(x, x, false, true);
    tf.tidy(() => {
      const grams = plain(rows());
      expectClose(gramMatrices(rows()), grams);
      const ofProduct = tf.randomNormal(grams.shape, 0, 0.3, 'float32', 3);
      const [found, expected] = [(x: tf.Tensor) => gramMatrices(x as tf.Tensor3D), plain].map((f) =>
        tf.grad(f)(rows(), ofProduct),
      );
      expectClose(found!, expected!);
    });
  });

  it('normsOfGradients', () => {
    const both = (norms: { kernel: tf.Tensor; bias: tf.Tensor }) => tf.div(tf.stack([norms.kernel, norms.bias]), 10);
    const found = (a: tf.Tensor, d: tf.Tensor) => {
      const byPosition = () => a as tf.Tensor3D;
      const byFeature = () => [tf.transpose(a, [0, 2, 1]) as tf.Tensor3D];
      return both(normsOfGradients({ samples, positions, fanIn, byPosition, byFeature }, d as tf.Tensor3D, columns));
    };
    const plain = (a: tf.Tensor, d: tf.Tensor) => {
      const ofColumns = Array.from({ length: columns }, (_, r) => {
        const column = tf.slice(d, r * samples, samples);
        return {
          kernel: tf.sum(tf.square(tf.matMul(a, column, true, false)), [1, 2]),
          bias: tf.sum(tf.square(tf.sum(column, 1)), 1),
        };
      });
      return both({
        kernel: tf.addN(ofColumns.map(({ kernel }) => kernel)),
        bias: tf.addN(ofColumns.map(({ bias }) => bias)),
      });
    };
    tf.tidy(() => {
      const expected = plain(rows(), deltas());
      const relative = (x: tf.Tensor) => tf.div(x, tf.max(tf.abs(expected)));
      expectClose(relative(found(rows(), deltas())), relative(expected));
      if (columns > 1) {
        return; // tf.js has no gradient of a product that repeats a factor.
      }
      const dy = tf.randomNormal(expected.shape, 0, 1, 'float32', 3);
      const [gradients, ofPlain] = [found, plain].map((f) => tf.grads(f)([rows(), deltas()], dy));
      gradients!.forEach((gradient, i) => {
        const size = tf.max(tf.abs(ofPlain![i]!));
        expectClose(tf.div(gradient, size), tf.div(ofPlain![i]!, size));
      });
    });
  });
});

it('isCheaperByGram takes what multiplies less, where that is much less', () => {
  expect(isCheaperByGram(2, 500, 300)).toBe(true);
  expect(isCheaperByGram(49, 1080, 400)).toBe(true);
  expect(isCheaperByGram(576, 25, 180)).toBe(false);
});
