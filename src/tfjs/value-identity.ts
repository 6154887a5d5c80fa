import type * as tf from '@tensorflow/tfjs-core';

/**
 * An object that stands for the values of a tensor: as long as it is the same, they are. tf.js never changes values in place;
 * `assign` gives a variable new ones, also from equal numbers, and `clone` shares those of the original.
 */
export function identityOfValues({ dataId }: tf.Tensor): object {
  return dataId;
}
