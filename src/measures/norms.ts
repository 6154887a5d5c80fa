import * as tf from '@tensorflow/tfjs-core';
import { variablesIn, type Weights, withOtherWeights } from './other-weights.js';

/**
 * The Frobenius norm of all weights: sqrt( sum_b ||W_b||^2 ). Rescaling layers changes it.
 *
 * @throws Error with one line for weights that are no variables.
 */
export function frobeniusNorm(weights: Weights): number {
  const variables = variablesIn('frobeniusNorm', weights);
  return Math.sqrt(variables.reduce((sum, weight) => sum + tf.tidy(() => tf.sum(tf.square(weight)).dataSync()[0]), 0));
}

/**
 * The path norm: with a path from an input, or a bias, to an output for every way through the units,
 *
 *     sqrt( sum over paths of the product of its squared weights )
 *
 * (Neyshabur, Salakhutdinov, Srebro, "Path-SGD: Path-Normalized Optimization in Deep Neural Networks", NeurIPS 2015). It is the root of what the
 * network makes of an input of ones when every weight is squared. Rescaling layers, so that the function stays the same, does not change it.
 *
 * @param network from inputs to outputs in front of the loss, without a softmax or a sigmoid at the end. Layers with weights that are multiplied
 * and added (dense, convolutions), ReLU and its like, pooling, flatten and sums are right; batch normalization is not: fold it first.
 * @param weights all of those that the network multiplies or adds.
 * @param inputShape of one sample.
 * @throws Error with one line for weights that are no variables, and where the outputs are not finite or below 0.
 */
export function pathNorm(
  network: (input: tf.Tensor) => tf.Tensor,
  weights: Weights,
  inputShape: readonly number[],
): number {
  const variables = variablesIn('pathNorm', weights);
  return withOtherWeights(variables, (values) => {
    variables.forEach((weight, b) => {
      tf.tidy(() => weight.assign(tf.square(values[b])));
    });
    const outputs = tf.tidy(() => Array.from(network(tf.ones([1, ...inputShape])).dataSync()));
    if (!outputs.every((each) => each >= 0 && each < Number.POSITIVE_INFINITY)) {
      throw new Error(
        'pathNorm: outputs of squared weights must be finite and at least 0: pass the network without normalization, up to its last sums.',
      );
    }
    return Math.sqrt(outputs.reduce((sum, each) => sum + each, 0));
  });
}
