import * as tf from '@tensorflow/tfjs-core';
import { backendName } from './backend.js';

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
