import * as tf from '@tensorflow/tfjs-core';

/**
 * For each of several tensors, a mask of where it is the first that equals the target: where a maximum or minimum came from,
 * ties going to the first.
 *
 * @param value what stands in the masks there, in the shape of the target; 1 if not given.
 * @param oneDoes whether one of them is known to: what the others leave is then the last one's. Default false.
 */
export function firstMatches(
  candidates: readonly tf.Tensor[],
  target: tf.Tensor,
  value: tf.Tensor | null = null,
  oneDoes = false,
): tf.Tensor[] {
  let free = value;
  return candidates.map((candidate, i) => {
    if (oneDoes && free && i === candidates.length - 1) {
      return tf.clone(free);
    }
    const found = tf.cast(tf.equal(candidate, target), 'float32');
    const mask: tf.Tensor = free ? tf.mul(found, free) : found;
    if (i < candidates.length - 1) {
      free = tf.sub(free ?? 1, mask);
    }
    return mask;
  });
}
