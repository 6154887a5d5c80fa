import * as tf from '@tensorflow/tfjs-core';

/** The weights of a network: `model.trainableWeights`, or variables of one's own. */
export type Weights = readonly (tf.Variable | { read(): tf.Tensor })[];

/** A mean loss, of the weights as they are when it is called. What it makes beside its result is disposed. */
export type LossOfWeights = () => tf.Scalar;

/**
 * Runs something that gives the weights other values, in one turn of the event loop, and gives them back what they had, bit for bit, also where
 * that throws.
 *
 * @param run is given the values that they had.
 */
export function withOtherWeights<T>(weights: readonly tf.Variable[], run: (values: readonly tf.Tensor[]) => T): T {
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

/**
 * Their variables.
 *
 * @throws Error with one line where these are no weights.
 */
export function variablesIn(where: string, weights: Weights): tf.Variable[] {
  const found = Array.isArray(weights)
    ? weights.map((each) => (each instanceof tf.Variable ? each : each?.read?.()))
    : [];
  if (found.length === 0 || !found.every((each) => each instanceof tf.Variable)) {
    throw new Error(`${where}: weights must be tf.Variables or those of a model: pass model.trainableWeights.`);
  }
  return found;
}

/** @throws Error with one line where the loss is no finite number. */
export function lossHere(where: string, loss: LossOfWeights): number {
  const [value, ...others] = tf.tidy(() => Array.from(loss().dataSync()));
  if (others.length > 0 || !Number.isFinite(value)) {
    throw new Error(`${where}: the loss must be one finite number: return its mean over the samples.`);
  }
  return value;
}
