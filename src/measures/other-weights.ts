import * as tf from '@tensorflow/tfjs-core';

/** The weights of a network: those of a model, or variables of one's own. One that is there twice, as of two models that share it, counts once. */
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
 * Their variables, each once.
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
  return [...new Set(found)];
}

/**
 * Those that training moves: neither frozen ones, which have no gradient, nor moving means and variances.
 *
 * @throws Error with one line where these are no weights, and for one that is not trained.
 */
export function trainedVariablesIn(where: string, weights: Weights): tf.Variable[] {
  const variables = variablesIn(where, weights);
  const frozen = variables.find(({ trainable }) => !trainable);
  if (frozen) {
    throw new Error(`${where}: '${frozen.name}' is not trained: leave it out, or make it trainable.`);
  }
  return variables;
}

/** The largest absolute value. */
export function largestIn(tensors: readonly tf.Tensor[]): number {
  return Math.max(...tensors.map((each) => tf.tidy(() => tf.max(tf.abs(each)).dataSync()[0])));
}

/** The Euclidean length of all together, by what they are beside the largest value: its square may leave the range of float32. */
export function lengthOf(tensors: readonly tf.Tensor[]): number {
  const largest = largestIn(tensors) || 1;
  const squares = tensors.map((each) => tf.tidy(() => tf.sum(tf.square(tf.div(each, largest))).dataSync()[0]));
  return largest * Math.sqrt(squares.reduce((sum, each) => sum + each, 0));
}

/** @throws Error with one line where the loss is no finite number. */
export function lossHere(where: string, loss: LossOfWeights): number {
  const [value, ...others] = tf.tidy(() => Array.from(loss().dataSync()));
  if (others.length > 0 || !Number.isFinite(value)) {
    throw new Error(`${where}: the loss must be one finite number: return its mean over the samples.`);
  }
  return value;
}
