import * as tf from '@tensorflow/tfjs-core';

/**
 * An object that stands for the values of a tensor: where two have the same one, they have the same values. tf.js never changes
 * values in place, but on cpu they may be an array of the user's, who can write into it unseen; `assign` gives a variable those of another tensor. (A clone shares them, except on the wasm backend.)
 */
export function identityOfValues({ dataId }: tf.Tensor): object {
  return dataId;
}

/**
 * Another tensor with the very values of this one, and the same identity, on every backend. The values live until it is disposed,
 * by whoever asked. One at a time: it has a name, as tf.js makes no other tensor that shares values everywhere.
 */
export function sharingValues(x: tf.Tensor): tf.Variable {
  return tf.variable(x, false, 'tfjs-sharpness/values');
}
