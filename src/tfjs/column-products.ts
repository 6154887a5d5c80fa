import * as tf from '@tensorflow/tfjs-core';
import { isNative } from './backend.js';
import { timesTransposed } from './products.js';

/**
 * Vectors of several columns times the transpose of a matrix: [R, N, O] and [F, O] -> [R, N, F]. Native, in one launch: there, a
 * change of shape costs as much as a product of small matrices. Without a gradient.
 */
export function columnsTimesTransposed(vectors: tf.Tensor3D, matrix: tf.Tensor2D): tf.Tensor3D {
  const [columns, samples, width] = vectors.shape;
  if (isNative()) {
    return tf.einsum('rno,fo->rnf', vectors, matrix) as tf.Tensor3D;
  }
  const rows: tf.Tensor2D = tf.reshape(vectors, [columns * samples, width]);
  return tf.reshape(timesTransposed(rows, matrix), [columns, samples, matrix.shape[0]]);
}
