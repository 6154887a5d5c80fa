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
 * @param delta d, [R * N, P, O], column by column.
 * @param columns R.
 * @returns sum_r ||G_r||^2, [N].
 */
export function kernelSquaredNorm(inputs: tf.Tensor3D, delta: tf.Tensor3D, columns: number): tf.Tensor1D {
  const [samples, positions, fanIn] = inputs.shape;
  const fanOut = delta.shape[2];
  if (positions === 1) {
    const inputNorm = tf.sum(tf.square(tf.reshape(inputs, [samples, fanIn])), 1);
    return tf.mul(inputNorm, sumOfSquares(delta, columns, samples));
  }
  const byColumn = tf.reshape(delta, [columns, samples, positions, fanOut]);
  const explicitCost = fanIn * columns * fanOut * positions;
  const gramCost = positions * positions * (fanIn + columns * fanOut);
  if (explicitCost <= gramCost) {
    const inputsOfColumn = tf.reshape(inputs, [1, samples, positions, fanIn]);
    return sumOfSquares(tf.matMul(inputsOfColumn, byColumn, true, false), columns, samples);
  }
  const pairs = positions * positions;
  const inputGram = tf.reshape(tf.matMul(inputs, inputs, false, true), [samples, pairs]);
  const deltaGram = tf.reshape(tf.matMul(delta, delta, false, true), [columns, samples * pairs]);
  return tf.sum(tf.mul(inputGram, tf.reshape(tf.sum(deltaGram, 0), [samples, pairs])), 1);
}

/**
 * Squared norm of the gradient of a vector that is added at every position, summed over columns:
 * sum_r || sum_t d_rt ||^2.
 *
 * @param delta d, [R * N, P, O], column by column.
 * @param columns R.
 * @returns [N].
 */
export function biasSquaredNorm(delta: tf.Tensor3D, columns: number): tf.Tensor1D {
  return sumOfSquares(delta.shape[1] === 1 ? delta : tf.sum(delta, 1), columns, delta.shape[0] / columns);
}

/** Joins the calls of a shared layer along their positions (axis 1), so that their gradients add up. */
export function joinPositions(calls: readonly tf.Tensor3D[]): tf.Tensor3D {
  return calls.length === 1 ? calls[0] : tf.concat(calls as tf.Tensor3D[], 1);
}

/** Sum over columns and elements for each sample: [R * N, ...] or [R, N, ...] -> [N]. */
function sumOfSquares(x: tf.Tensor, columns: number, samples: number): tf.Tensor1D {
  const ofRow = tf.sum(tf.square(tf.reshape(x, [columns * samples, -1])), 1);
  return tf.sum(tf.reshape(ofRow, [columns, samples]), 0);
}
