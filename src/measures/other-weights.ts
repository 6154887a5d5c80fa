import * as tf from '@tensorflow/tfjs-core';

/** The weights of a network: those of `model.trainableWeights` by `read()`, or variables of one's own. */
export type Weights = readonly tf.Variable[];

/** A mean loss, of the weights as they are when it is called. What it makes beside its result is disposed. */
export type LossOfWeights = () => tf.Scalar;

/**
 * Runs something that gives the weights other values, in one turn of the event loop, and gives them back what they had, bit for bit, also where
 * that throws.
 *
 * @param run is given the values that they had.
 */
export function withOtherWeights<T>(weights: Weights, run: (values: readonly tf.Tensor[]) => T): T {
  const values = weights.map((weight) => tf.clone(weight));
  try {
    return run(values);
  } finally {
    weights.forEach((weight, i) => {
      weight.assign(values[i]);
    });
    tf.dispose(values);
  }
}

/** @throws Error with one line where these are no weights. */
export function checkWeights(where: string, weights: Weights): void {
  if (!Array.isArray(weights) || weights.length === 0 || !weights.every((weight) => weight instanceof tf.Variable)) {
    throw new Error(
      `${where}: weights must be tf.Variables: pass those of the network, for example model.trainableWeights.map((weight) => weight.read()).`,
    );
  }
}

/** @throws Error with one line where the loss is no finite number. */
export function lossHere(where: string, loss: LossOfWeights): number {
  const [value, ...others] = tf.tidy(() => Array.from(loss().dataSync()));
  if (others.length > 0 || !Number.isFinite(value)) {
    throw new Error(`${where}: the loss must be one finite number: return its mean over the samples.`);
  }
  return value;
}
