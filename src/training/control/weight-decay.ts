import { hasL2Factor } from '../../tfjs/regularizers.js';
import type { Setting } from './setting.js';

/**
 * The factor of an L2 regularizer as a setting: of `tf.regularizers.l2` or `l1l2`, which read it anew in every training step.
 * Give the same regularizer to all layers that shall share it:
 *
 * ```ts
 * const decay = tf.regularizers.l2({ l2: 1e-4 });
 * const layer = tf.layers.dense({ units: 32, activation: 'relu', kernelRegularizer: decay });
 * steer(sharpness.readings$, raiseWhenRising({ max: 1e-2 }), weightDecayOf(decay));
 * ```
 *
 * The factor multiplies the sum of squared weights in the loss: in plain gradient descent a step takes 2 × learning rate × factor off
 * every weight, as a share. Its name is `weight_decay`.
 *
 * @throws Error with one line for anything else, and for a factor of 0, which tf.js' regularizers never look at again.
 */
export function weightDecayOf(regularizer: object): Setting {
  if (!hasL2Factor(regularizer)) {
    throw new Error('weightDecayOf: a regularizer made by tf.regularizers.l2 or l1l2 is wanted.');
  }
  if (regularizer.l2 === 0) {
    throw new Error('weightDecayOf: the factor is 0, for which tf.js leaves the term out for good: begin above 0.');
  }
  return {
    name: 'weight_decay',
    get: () => regularizer.l2,
    set(value) {
      regularizer.l2 = value;
    },
  };
}
