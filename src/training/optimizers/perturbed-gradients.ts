import * as tf from '@tensorflow/tfjs-core';
import type { LossGradients } from './wrapped-optimizer.js';

/**
 * The gradients at the weights where a linear model of the loss is highest inside of a small ellipsoid around them:
 *
 *     eps = rho T^2 g / ||T g||,   gradient of the loss at w + eps
 *
 * with the gradient g at w, and the norm over all weights together. Gradients that vanish move nothing. Afterwards the
 * weights are what they were, bit for bit.
 *
 * @param loss what {@link LossGradients} is given; its first call gives the loss returned
 * @param rho the ellipsoid's radius where T = 1
 * @param normalization the diagonal of T for a variable, in its shape; undefined stands for ones
 */
export function perturbedGradients(
  loss: () => tf.Scalar,
  variables: tf.Variable[],
  rho: number,
  normalization: (variable: tf.Variable) => tf.Tensor | undefined,
): ReturnType<LossGradients> {
  const plain = tf.variableGrads(loss, variables);
  if (rho === 0) {
    return plain;
  }
  const moved = variables.filter(({ name }) => plain.grads[name] != null);
  const weights = moved.map((variable) => tf.clone(variable));
  const normalize = (values: tf.Tensor, by: tf.Tensor | undefined) => (by === undefined ? values : tf.mul(by, values));
  try {
    tf.tidy(() => {
      const scales = moved.map(normalization);
      const slopes = moved.map(({ name }, i) => normalize(plain.grads[name]!, scales[i]));
      const norm = tf.sqrt(tf.addN(slopes.map((slope) => tf.sum(tf.square(slope)))));
      const factor = tf.divNoNan(rho, norm);
      moved.forEach((variable, i) => {
        variable.assign(tf.add(weights[i]!, tf.mul(normalize(slopes[i]!, scales[i]), factor)));
      });
    });
    const { grads } = tf.variableGrads(loss, variables);
    return { value: plain.value, grads };
  } finally {
    moved.forEach((variable, i) => {
      variable.assign(weights[i]!);
    });
  }
}
