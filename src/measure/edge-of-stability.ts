import type * as tf from '@tensorflow/tfjs-core';

/**
 * The largest eigenvalue of the Hessian at which full-batch gradient descent is stable on a quadratic:
 *
 *     2 / rate, and with momentum m 2 (1 + m) / rate
 *
 * (Cohen, Kaur, Li, Kolter, Talwalkar, "Gradient descent on neural networks typically occurs at the edge of stability", ICLR 2021).
 *
 * @returns undefined for other optimizers than plain SGD and Polyak's momentum, which do not step along the gradient alone, and where the rate is 0.
 */
export function edgeOfStability(optimizer: tf.Optimizer | null | undefined): number | undefined {
  const kind = optimizer?.getClassName?.();
  if (kind !== 'SGD' && kind !== 'Momentum') {
    return undefined;
  }
  const { learningRate, momentum = 0, useNesterov = false } = (optimizer as tf.Optimizer).getConfig();
  const edge = (2 * (1 + (momentum as number))) / (learningRate as number);
  return useNesterov || !(edge > 0 && edge < Number.POSITIVE_INFINITY) ? undefined : edge;
}
