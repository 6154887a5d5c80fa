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
