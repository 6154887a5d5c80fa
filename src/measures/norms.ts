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
 * and added (dense, convolutions), ReLU and its like, flatten and sums are right. Of max pooling the largest input counts alone. Not right, and not
 * found out, are batch normalization (fold it first) and averages, also of pooling: their 1 / k are weights that are not squared; have
 * convolutions with these weights in their place.
 * @param weights all of those that the network multiplies or adds.
 * @param inputShape of one sample.
 * @throws Error with one line for weights that are no variables, where the outputs are not finite or below 0, and where they are no sums of
 * paths, as those of a softmax or a sigmoid.
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
    const outputsOf = (input: number) => tf.tidy(() => network(tf.fill([1, ...inputShape], input)).clone());
    const all = [0, 1, 2].map(outputsOf);
    const [outputsOf0, outputs, outputsOf2] = all.map((each) => Array.from(each.dataSync()));
    const addUpTo1 = tf.tidy(() =>
      all.every((each) => tf.max(tf.abs(tf.sub(tf.sum(each, -1), 1))).dataSync()[0] < 1e-5),
    );
    tf.dispose(all);
    if (!outputs.every((each) => each >= 0 && each < Number.POSITIVE_INFINITY)) {
      throw new Error(
        'pathNorm: outputs of squared weights must be finite and at least 0: pass the network without normalization, up to its last sums.',
      );
    }
    // Along inputs that grow, sums of paths grow in a straight line, with max pooling more and more, but never less and less.
    if (addUpTo1 || outputs.some((each, i) => outputsOf2[i] - 2 * each + outputsOf0[i] < -1e-4 * outputsOf2[i])) {
      throw new Error(
        'pathNorm: the outputs are no sums of paths, as with a softmax or a sigmoid: pass the network up to its last sums, with ReLUs.',
      );
    }
    return Math.sqrt(outputs.reduce((sum, each) => sum + each, 0));
  });
}
