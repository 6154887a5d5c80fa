import * as tf from '@tensorflow/tfjs-core';

/**
 * An object that stands for the values of a tensor: where two have the same one, they have the same values, as long as nobody writes
 * into an array of numbers of which he made a tensor, which on cpu is the very one that it holds. tf.js never changes values in place;
 * `assign` gives a variable those of another tensor. (A clone shares them, except on the wasm backend.)
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
