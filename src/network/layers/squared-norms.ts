import * as tf from '@tensorflow/tfjs-core';
import {
  type AffineSquaredNorms,
  columnsBeside,
  gramMatrices,
  isCheaperByGram,
  type KernelInputs,
  normsOfGradients,
} from '../../tfjs/products.js';
import { sumOfSquaresOfLast } from '../../tfjs/sum-of-squares.js';

/** Rows that are there as a tensor, [N, P, F]. */
export function kernelInputsOf(rows: tf.Tensor3D): KernelInputs {
  const [samples, positions, fanIn] = rows.shape;
  return {
    samples,
    positions,
    fanIn,
    byPosition: () => rows,
    byFeature: () => [tf.transpose(rows, [0, 2, 1])],
  };
}

/** The calls of a shared layer: their positions stand behind each other, so that their gradients add up. */
export function joinKernelInputs(calls: readonly KernelInputs[]): KernelInputs {
  return calls.length === 1 ? calls[0] : kernelInputsOf(joinPositions(calls.map((call) => call.byPosition())));
}

/**
 * Squared Frobenius norms of the gradients of a kernel and its bias, summed over columns, without keeping the gradients.
 *
 * For a layer that multiplies rows a_t by a kernel at positions t = 1..P, the gradient of one column r is
 * G_r = sum_t a_t d_rt^T. Its squared norm comes either from G itself, at F R O P multiply-adds a sample, or from Gram
 * matrices over positions, sum_{t,t'} <a_t, a_t'> <d_t, d_t'> with the columns of d_t behind each other, at P^2 (F + R O).
 * What is cheaper on the backend is taken; at one position both are ||a||^2 sum_r ||d_r||^2.
 *
 * @param delta d, [R * N, P, O], column by column.
 * @param columns R.
 */
export function affineSquaredNorms(inputs: KernelInputs, delta: tf.Tensor3D, columns: number): AffineSquaredNorms {
  const { samples, positions, fanIn } = inputs;
  const fanOut = delta.shape[2];
  if (positions === 1) {
    const inputNorm = tf.sum(tf.square(inputs.byPosition()), [1, 2]);
    const bias = sumOfSquares(delta, columns);
    return { kernel: tf.mul(inputNorm, bias), bias };
  }
  if (!isCheaperByGram(positions, fanIn, columns * fanOut)) {
    return normsOfGradients(inputs, delta, columns);
  }
  const grams = [inputs.byPosition(), columnsBeside(delta, columns)].map((x) =>
    tf.reshape(gramMatrices(x), [samples, -1]),
  );
  return { kernel: tf.sum(tf.mul(grams[0], grams[1]), 1), bias: biasSquaredNorm(delta, columns) };
}

/**
 * Squared Frobenius norm of a kernel's gradient, summed over columns: `affineSquaredNorms` without the bias.
 *
 * @param inputs a, [N, P, F].
 * @param delta d, [R * N, P, O], column by column.
 * @param columns R.
 * @returns sum_r ||G_r||^2, [N].
 */
export function kernelSquaredNorm(inputs: tf.Tensor3D, delta: tf.Tensor3D, columns: number): tf.Tensor1D {
  return affineSquaredNorms(kernelInputsOf(inputs), delta, columns).kernel;
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
  return sumOfSquares(delta.shape[1] === 1 ? delta : tf.sum(delta, 1), columns);
}

/** Joins the calls of a shared layer along their positions (axis 1), so that their gradients add up. */
export function joinPositions(calls: readonly tf.Tensor3D[]): tf.Tensor3D {
  return calls.length === 1 ? calls[0] : tf.concat(calls as tf.Tensor3D[], 1);
}

/** Sum over columns and elements for each sample: [R * N, ...] -> [N]. */
export function sumOfSquares(x: tf.Tensor, columns: number): tf.Tensor1D {
  const rows = x.rank === 2 ? x : tf.reshape(x, [x.shape[0], -1]);
  const ofRow = sumOfSquaresOfLast(rows) as tf.Tensor1D;
  return columns === 1 ? ofRow : tf.sum(tf.reshape(ofRow, [columns, -1]), 0);
}
