import * as tf from '@tensorflow/tfjs-core';
import { it } from 'vitest';
import { averagePoolBack, convolutionFilterGradient } from '../../src/tfjs/gradient-kernels.js';
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
