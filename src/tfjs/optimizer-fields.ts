import * as tf from '@tensorflow/tfjs-core';

/*
 * What tf.js' optimizers keep to themselves. The learning rate is a number in every one of them that has a rate, though no type says
 * so: `adam`, `adamax`, `adagrad`, `adadelta` and `rmsprop` read it in every step; `sgd` and `momentum` keep it in a tensor beside
 * the number, and their `setLearningRate` renews both.
 */
interface WithLearningRate {
  learningRate: number;
  setLearningRate?(value: number): void;
}

/** The learning rate of an optimizer, which is undefined where it has none. */
export function learningRateIn(optimizer: unknown): number | undefined {
  return (optimizer as Partial<WithLearningRate> | null | undefined)?.learningRate;
}

/** Sets the learning rate from the next step on. False where the optimizer has none: then nothing was set. */
export function assignLearningRate(optimizer: object, value: number): boolean {
  const fields = optimizer as Partial<WithLearningRate>;
  if (typeof fields.setLearningRate === 'function') {
    fields.setLearningRate(value);
    return true;
  }
  if ('learningRate' in fields) {
    fields.learningRate = value;
    return true;
  }
  return false;
}

/** The tensors among an optimizer's own fields. Most of its state is deeper, and comes with `getWeights`. */
export function tensorsOfOptimizer(optimizer: object): tf.Tensor[] {
  return Object.values(optimizer).filter((value): value is tf.Tensor => value instanceof tf.Tensor);
}

/**
 * Variables of an optimizer that its own `getWeights` leaves out: Adam's powers of beta, by the names of their fields. `setWeights`
 * computes them anew, rounded otherwise, and training would not go on bit for bit.
 */
export function unsavedVariables(optimizer: object): Record<string, tf.Variable> {
  return Object.fromEntries(
    Object.entries(optimizer).filter((entry): entry is [string, tf.Variable] => entry[1] instanceof tf.Variable),
  );
}

/**
 * Whether an optimizer was made by this class or one that extends it. Not `instanceof`: in tf.js that is true of everything with
 * the methods of an optimizer, also where a subclass is asked for.
 */
export function isMadeBy(optimizerClass: { readonly prototype: object }, optimizer: unknown): boolean {
  return Object.prototype.isPrototypeOf.call(optimizerClass.prototype, optimizer as object);
}
