import * as tf from '@tensorflow/tfjs-core';

/**
 * Runs `make` unseen by the tape: gradients take what it returns for a constant. For what is piecewise constant, such as
 * the place of a maximum.
 *
 * @param make returns a new tensor.
 */
export function constantForGradients<T extends tf.Tensor>(make: () => T): T {
  return tf.customGrad(() => ({ value: make(), gradFunc: () => [] }))() as T;
}

/** tf.js disposes what it has saved for a backward pass when that is over: where something throws before, this does. */
export function withoutLeftovers<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    const { state } = tf.engine();
    if (state.gradientDepth === 0) {
      for (const { saved } of state.activeTape ?? []) {
        tf.dispose(saved);
      }
      state.activeTape = [];
    }
    throw error;
  }
}

/**
 * Gradients of a number by each of the variables, in their order; undefined for one that it does not depend on.
 * (`tf.variableGrads` throws where it depends on none, and `tf.grads` wants a function of the variables.) Belongs inside of a
 * `tf.tidy`, which disposes the number.
 */
export function gradientsBy(f: () => tf.Tensor, variables: readonly tf.Tensor[]): (tf.Tensor | undefined)[] {
  return withoutLeftovers(() => tf.engine().gradients(f, [...variables], undefined, true)).grads;
}

/** `tf.variableGrads`, also by variables that are not `trainable`, as those of frozen layers: tf.js leaves these out. */
export function gradientsEvenFrozen(
  f: () => tf.Scalar,
  variables: readonly tf.Variable[],
): ReturnType<typeof tf.variableGrads> {
  const before = variables.map(({ trainable }) => trainable);
  for (const variable of variables) {
    variable.trainable = true;
  }
  try {
    return withoutLeftovers(() => tf.variableGrads(f, [...variables]));
  } finally {
    variables.forEach((variable, i) => {
      variable.trainable = before[i];
    });
  }
}
