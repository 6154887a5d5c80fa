import * as tf from '@tensorflow/tfjs-core';
import { backendName } from './backend.js';
import { spreadAxis } from './mended-operations.js';
import { convolveBackByPairs, type ExplicitPadding, type ImageConvolution, isFasterByPairs } from './pixel-pairs.js';

/*
 * Products in the form in which the backend is fast, found by measurement: the same product by another kernel may take ten times as
 * long. Whoever asks for a product does not ask for the backend.
 */

/** wasm multiplies plain matrices by XNNPACK, at 5 to 15 billion multiply-adds a second; all else by a plain loop, at 0.3 to 1. */
const isWasm = () => backendName() === 'wasm';

/** a b^T, [M, K] and [N, K] -> [M, N]. */
export function timesTransposed(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  return isWasm() ? tf.matMul(a, tf.transpose(b)) : tf.matMul(a, b, false, true);
}

/** a^T b, [K, M] and [K, N] -> [M, N]. */
export function transposedTimes(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  return isWasm() ? tf.matMul(tf.transpose(a), b) : tf.matMul(a, b, true, false);
}

/**
 * The transpose of a convolution of images: [B, h, w, O] -> [B, H, W, I]. On wasm a convolution with the kernel turned around, which
 * takes a third to a tenth of the time, though it multiplies the zeros around the deltas as well.
 *
 * @param kernel [kh, kw, I, O].
 */
export function convolveImageBack(delta: tf.Tensor4D, kernel: tf.Tensor4D, convolution: ImageConvolution): tf.Tensor4D {
  const { inputShape, strides, padding, around } = convolution;
  if (isWasm()) {
    const apart = spreadAxis(spreadAxis(delta, 1, strides[0]), 2, strides[1]) as tf.Tensor4D;
    const turned: tf.Tensor4D = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2]);
    return tf.conv2d(apart, turned, 1, [[0, 0], ...around, [0, 0]] as ExplicitPadding);
  }
  return isFasterByPairs(kernel.shape, convolution)
    ? convolveBackByPairs(delta, kernel, convolution)
    : tf.conv2dTranspose(delta, kernel, inputShape, strides, padding);
}
