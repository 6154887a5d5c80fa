import * as tf from '@tensorflow/tfjs-core';

/**
 * Squared Frobenius norm of a kernel's gradient, summed over columns, without keeping the gradient.
 *
 * For a layer that multiplies rows a_t by a kernel at positions t = 1..P, the gradient of one column r is
 * G_r = sum_t a_t d_rt^T. Its squared norm comes either from G itself, at F R O P multiply-adds a sample, or from Gram
 * matrices over positions, sum_{t,t'} <a_t, a_t'> sum_r <d_rt, d_rt'>, at P^2 (F + R O). The cheaper one is taken; at one
 * position both are ||a||^2 sum_r ||d_r||^2.
 *
 * @param inputs a, [N, P, F].
 * @param delta d, [N * R, P, O], sample-major.
 * @param columns R.
 * @returns sum_r ||G_r||^2, [N].
 */
export function kernelSquaredNorm(inputs: tf.Tensor3D, delta: tf.Tensor3D, columns: number): tf.Tensor1D {
  const [samples, positions, fanIn] = inputs.shape;
  const fanOut = delta.shape[2];
  if (positions === 1) {
    const inputNorm = tf.sum(tf.square(tf.reshape(inputs, [samples, fanIn])), 1);
    const deltaNorm = tf.sum(tf.square(tf.reshape(delta, [samples, columns * fanOut])), 1);
    return tf.mul(inputNorm, deltaNorm);
  }
  const byPosition = tf.reshape(tf.transpose(tf.reshape(delta, [samples, columns, positions, fanOut]), [0, 2, 1, 3]), [
    samples,
    positions,
    columns * fanOut,
  ]) as tf.Tensor3D;
  const explicitCost = fanIn * columns * fanOut * positions;
  const gramCost = positions * positions * (fanIn + columns * fanOut);
  if (explicitCost <= gramCost) {
    const gradient = tf.matMul(inputs, byPosition, true, false);
    return tf.sum(tf.square(tf.reshape(gradient, [samples, -1])), 1);
  }
  const gram = tf.mul(tf.matMul(inputs, inputs, false, true), tf.matMul(byPosition, byPosition, false, true));
  return tf.sum(tf.reshape(gram, [samples, -1]), 1);
}

/**
 * Squared norm of the gradient of a vector that is added at every position, summed over columns:
 * sum_r || sum_t d_rt ||^2.
 *
 * @param delta d, [N * R, P, O], sample-major.
 * @param columns R.
 * @returns [N].
 */
export function biasSquaredNorm(delta: tf.Tensor3D, columns: number): tf.Tensor1D {
  const [rows, positions, fanOut] = delta.shape;
  const gradient = positions === 1 ? delta : tf.sum(delta, 1);
  return tf.sum(tf.square(tf.reshape(gradient, [rows / columns, columns * fanOut])), 1);
}

/** Joins the calls of a shared layer along their positions (axis 1), so that their gradients add up. */
export function joinPositions(calls: readonly tf.Tensor3D[]): tf.Tensor3D {
  return calls.length === 1 ? calls[0] : tf.concat(calls as tf.Tensor3D[], 1);
}
