import * as tf from '@tensorflow/tfjs-core';
import { isNative } from '../../tfjs/backend.js';

/*
 * Deltas of R columns for N samples are stacked column by column, [R * N, ...shape]: what is the same for all columns is then
 * broadcast over the leading axis, which every backend does right and fast. (The cpu and wasm backends broadcast batches of
 * matrices along leading axes only; in the native one, only the left factor of a batched product may be the one broadcast:
 * with [2, 1, 64, 64] times [1, 1, 64, 64] it corrupts memory.)
 */

/**
 * Multiplies deltas by something that is the same for all columns of a sample, without tiling it over the columns.
 *
 * @param delta [R * N, ...shape].
 * @param factor [N, ...shape].
 * @param columns R.
 * @returns [R * N, ...shape].
 */
export function multiplyEachColumn(delta: tf.Tensor, factor: tf.Tensor, columns: number): tf.Tensor {
  if (columns === 1) {
    return tf.mul(delta, factor);
  }
  // Native, broadcasting over axes in front is as fast as over one of two axes, and a change of shape is a launch.
  const [shape, ofEach] = isNative() ? [factor.shape, factor] : [[factor.size], tf.reshape(factor, [1, factor.size])];
  return tf.reshape(tf.mul(tf.reshape(delta, [columns, ...shape]), ofEach), delta.shape);
}

/**
 * Repeats samples once for every column: [N, ...shape] -> [R * N, ...shape]. For operations whose gradient tf.js computes
 * only with its inputs at hand.
 */
export function repeatForColumns(x: tf.Tensor, columns: number): tf.Tensor {
  if (columns === 1) {
    return x;
  }
  const [samples, ...shape] = x.shape;
  return tf.reshape(tf.tile(tf.reshape(x, [1, x.size]), [columns, 1]), [columns * samples, ...shape]);
}
