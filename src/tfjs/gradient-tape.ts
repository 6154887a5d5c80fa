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
 * Gradients of a number by each of the variables, in their order, trainable or not; undefined for one that it does not depend on.
 * (`tf.variableGrads` and `tf.grads` throw where it depends on none, and leave out what is not `trainable`.) Belongs inside of a
 * `tf.tidy`, which disposes the number.
 *
 * @param delta where `f` gives a tensor: the gradients are those of <f, delta>.
 */
export function gradientsBy(
  f: () => tf.Tensor,
  variables: readonly tf.Tensor[],
  delta?: tf.Tensor,
): (tf.Tensor | undefined)[] {
  return withoutLeftovers(() => tf.engine().gradients(f, [...variables], delta, true)).grads;
}
