import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import {
  averagePoolBack,
  convolutionFilterGradient,
  depthwiseFilterGradients,
  maxPoolBack,
} from '../../src/tfjs/gradient-kernels.js';
import { expectClose, transposeOf } from './transpose.js';

it.each<[string, [number, number], [number, number]]>([
  ['side by side', [2, 2], [2, 2]],
  ['overlapping', [3, 2], [1, 1]],
  ['with gaps', [1, 2], [2, 3]],
])('averagePoolBack is the transpose of average pooling: %s', (_, size, strides) => {
  tf.tidy(() => {
    const pool = (x: tf.Tensor) => tf.avgPool(x as tf.Tensor4D, size, strides, 'valid');
    const delta = tf.randomNormal(pool(tf.zeros([2, 5, 6, 2])).shape, 0, 1, 'float32', 1) as tf.Tensor4D;
    expectClose(averagePoolBack(delta, [2, 5, 6, 2], size, strides), transposeOf(pool, [2, 5, 6, 2], delta));
  });
});

const isNative = tf.getBackend() === 'tensorflow';

it.skipIf(!isNative).each<[number, number]>([
  [2, 2],
  [3, 2],
  [1, 4],
])('maxPoolBack gives the delta of a window of %i x %i to the first of its maxima', (height, width) => {
  tf.tidy(() => {
    // Few different numbers, so that most windows have several maxima.
    const x: tf.Tensor4D = tf.cast(tf.randomUniform([2, 4 * height, 3 * width, 5], -2, 2, 'int32', 1), 'float32');
    const pooled = tf.maxPool(x, [height, width], [height, width], 'valid');
    const delta = tf.randomNormal(pooled.shape, 0, 1, 'float32', 2) as tf.Tensor4D;
    const [found, image, out] = [maxPoolBack(delta, x, pooled, [height, width], [height, width])!, x, delta].map(
      (each) => each.arraySync() as number[][][][],
    );
    image!.forEach((_, n) => {
      for (let p = 0; p < 4; p++) {
        for (let q = 0; q < 3; q++) {
          for (let c = 0; c < 5; c++) {
            const taps = Array.from({ length: height * width }, (_, tap) => [
              p * height + Math.floor(tap / width),
              q * width + (tap % width),
            ]);
            const seen = taps.map(([i, j]) => image![n]![i!]![j!]![c]!);
            const first = seen.indexOf(Math.max(...seen));
            const expected = seen.map((_, tap) => (tap === first ? out![n]![p]![q]![c]! : 0));
            expect(taps.map(([i, j]) => found![n]![i!]![j!]![c]!)).toEqual(expected);
          }
        }
      }
    });
  });
});

it.skipIf(isNative)('maxPoolBack is not to be had where it is not known which maximum it takes', () => {
  tf.tidy(() => {
    const x: tf.Tensor4D = tf.zeros([1, 2, 2, 1]);
    expect(maxPoolBack(tf.ones([1, 1, 1, 1]), x, tf.zeros([1, 1, 1, 1]), [2, 2], [2, 2])).toBeNull();
  });
});

// wasm has no kernel for it.
it.skipIf(tf.getBackend() === 'wasm').each(['valid', 'same'] as const)(
  'convolutionFilterGradient is the transpose of a convolution in its filter: %s',
  (padding) => {
    tf.tidy(() => {
      const x = tf.randomNormal([2, 4, 5, 2], 0, 1, 'float32', 1) as tf.Tensor4D;
      const convolve = (filter: tf.Tensor) => tf.conv2d(x, filter as tf.Tensor4D, 1, padding);
      const delta = tf.randomNormal(convolve(tf.zeros([2, 3, 2, 3])).shape, 0, 1, 'float32', 2) as tf.Tensor4D;
      expectClose(
        convolutionFilterGradient(x, delta, [2, 3, 2, 3], padding),
        transposeOf(convolve, [2, 3, 2, 3], delta),
      );
    });
  },
);

it.each<[string, number, [number, number], [number, number]]>([
  ['one output a channel', 1, [1, 1], [1, 1]],
  ['with a multiplier', 3, [1, 1], [1, 1]],
  ['with strides that leave a rest', 2, [2, 2], [1, 1]],
  ['dilated', 1, [1, 1], [2, 2]],
])(
  'depthwiseFilterGradients is the transpose of a depthwise convolution in its filter: %s',
  (_, m, strides, dilation) => {
    const [images, columns, channels] = [2, 3, 2];
    tf.tidy(() => {
      const x = tf.randomNormal([images, 6, 7, channels], 0, 1, 'float32', 1) as tf.Tensor4D;
      const convolveOne = (n: number) => (filter: tf.Tensor) =>
        tf.depthwiseConv2d(tf.slice(x, n, 1), filter as tf.Tensor4D, strides, 'valid', 'NHWC', dilation);
      const shape = [3, 2, channels, m];
      const [, h, w, out] = convolveOne(0)(tf.zeros(shape)).shape as number[];
      const delta = tf.randomNormal([columns * images, h!, w!, out!], 0, 1, 'float32', 2) as tf.Tensor4D;
      const found = depthwiseFilterGradients(x, delta, [3, 2], strides, dilation);
      for (let row = 0; row < columns * images; row++) {
        const [column, n] = [Math.floor(row / images), row % images];
        const ofRow = tf.reshape(tf.slice(found, [0, column, n, 0], [6, 1, 1, out!]), shape);
        expectClose(ofRow, transposeOf(convolveOne(n), shape, tf.slice(delta, row, 1)));
      }
    });
  },
);

it.each<[string, [number, number], number]>([
  ['none where the filter is not dilated', [1, 1], 0],
  ['one where it is', [2, 2], 1],
])('depthwiseFilterGradients takes strided slices: %s', (_, dilation, most) => {
  const engine = tf.engine() as unknown as { runKernelFunc(params: { kernelName?: string }): unknown };
  const { runKernelFunc } = engine;
  let slices = 0;
  engine.runKernelFunc = (params) => {
    slices += params.kernelName === 'StridedSlice' ? 1 : 0;
    return runKernelFunc.call(engine, params);
  };
  try {
    tf.tidy(() => {
      const [x, delta] = [tf.ones([2, 6, 6, 3]), tf.ones([4, 6 - 2 * dilation[0], 6 - 2 * dilation[1], 3])];
      depthwiseFilterGradients(x as tf.Tensor4D, delta as tf.Tensor4D, [3, 3], [1, 1], dilation);
    });
  } finally {
    engine.runKernelFunc = runKernelFunc;
  }
  expect(slices).toBeLessThanOrEqual(most);
});
