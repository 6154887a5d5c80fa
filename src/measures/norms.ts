import * as tf from '@tensorflow/tfjs-core';
import { variablesReadBy } from '../tfjs/variables-read.js';
import { lengthOf, variablesIn, type Weights, withOtherWeights } from './other-weights.js';

/**
 * The Frobenius norm of all weights: sqrt( sum_b ||W_b||^2 ). Rescaling layers changes it.
 *
 * @throws Error with one line for weights that are no variables.
 */
export function frobeniusNorm(weights: Weights): number {
  return lengthOf(variablesIn('frobeniusNorm', weights));
}

/** What makes functions convex that are made of sums of paths. */
const maxima = ['MaxPool', 'MaxPool3D', 'Max', 'Maximum'];

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
 * found out, are batch normalization (fold it first), averages, also of pooling: their 1 / k are weights that are not squared; have
 * convolutions with these weights in their place; and `selu`, whose slope is not 1.
 * @param weights all of those that the network multiplies or adds, frozen ones too: `model.weights`.
 * @param inputShape of one sample.
 * @throws Error with one line for weights that are no variables, where the network reads others besides, where the outputs are not finite
 *   or below 0, and where they are no sums of paths, as those of a softmax, a sigmoid or a swish.
 */
export function pathNorm(
  network: (input: tf.Tensor) => tf.Tensor,
  weights: Weights,
  inputShape: readonly number[],
): number {
  const variables = variablesIn('pathNorm', weights);
  const outputsOf = (input: number) => tf.tidy(() => network(tf.fill([1, ...inputShape], input)).clone());
  const { value: given, variables: read, kernels } = variablesReadBy(() => outputsOf(1));
  given.dispose();
  const missing = read.find((each) => !variables.includes(each));
  if (missing) {
    throw new Error(
      `pathNorm: the network reads '${missing.name}', which is not among the weights: pass all that it reads, for example model.weights.`,
    );
  }
  const takesMaxima = maxima.some((each) => kernels.has(each));
  return withOtherWeights(variables, (values) => {
    variables.forEach((weight, b) => {
      tf.tidy(() => weight.assign(tf.square(values[b])));
    });
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
    const bends = outputs.some((each, i) => {
      const bend = (outputsOf2[i] - 2 * each + outputsOf0[i]) / outputsOf2[i];
      return bend < -1e-4 || (bend > 1e-4 && !takesMaxima);
    });
    if (addUpTo1 || bends) {
      throw new Error(
        'pathNorm: the outputs are no sums of paths, as with a softmax, a sigmoid or a swish: pass the network up to its last sums, with ReLUs.',
      );
    }
    return Math.sqrt(outputs.reduce((sum, each) => sum + each, 0));
  });
}
