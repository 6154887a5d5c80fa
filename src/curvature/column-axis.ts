import * as tf from '@tensorflow/tfjs-core';

/**
 * Multiplies deltas by something that is the same for all columns of a sample, without tiling it over the columns.
 *
 * @param delta [N * R, ...shape].
 * @param factor [N, ...shape].
 * @param columns R.
 * @returns [N * R, ...shape].
 */
export function multiplyEachColumn(delta: tf.Tensor, factor: tf.Tensor, columns: number): tf.Tensor {
  if (columns === 1) {
    return tf.mul(delta, factor);
  }
  const samples = factor.shape[0];
  const size = factor.size / samples;
  const product = tf.mul(tf.reshape(delta, [samples, columns, size]), tf.reshape(factor, [samples, 1, size]));
  return tf.reshape(product, delta.shape);
}

/**
 * Repeats each sample once for every column: [N, ...shape] -> [N * R, ...shape], sample-major. For operations whose
 * gradient tf.js computes only with its inputs at hand.
 */
export function repeatForColumns(x: tf.Tensor, columns: number): tf.Tensor {
  if (columns === 1) {
    return x;
  }
  const [samples, ...shape] = x.shape;
  const size = x.size / samples;
  const repeated = tf.tile(tf.reshape(x, [samples, 1, size]), [1, columns, 1]);
  return tf.reshape(repeated, [samples * columns, ...shape]);
}
