import * as tf from '@tensorflow/tfjs-core';

/**
 * For each of several tensors, a mask of where it is the first that equals the target: where a maximum or minimum came from,
 * ties going to the first.
 */
export function firstMatches(candidates: readonly tf.Tensor[], target: tf.Tensor): tf.Tensor[] {
  let free: tf.Tensor | null = null;
  return candidates.map((candidate) => {
    const found = tf.cast(tf.equal(candidate, target), 'float32');
    const mask: tf.Tensor = free ? tf.mul(found, free) : found;
    free = tf.sub(free ?? 1, mask);
    return mask;
  });
}
