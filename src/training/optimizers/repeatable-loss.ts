import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { recordDraws, replayDraws } from '../../tfjs/random-draws.js';
import { snapshotVariables } from '../../tfjs/saved-weights.js';
import { modelOfLoss, withoutMetrics } from '../../tfjs/trained-model.js';

/**
 * A step's loss function that can be called again with other weights. Its first call is that of plain training. Every
 * further call sees the same random draws (dropout masks, noise), and leaves nothing behind: moving averages of batch
 * normalization keep what the first call made of them, and metrics are not computed again.
 *
 * Layers that count on their own from a seed (`RandomWidth` with `seed`) draw anew.
 *
 * @throws Error with one line at the second call for a model with stateful recurrent layers, whose states it would move on.
 */
export function repeatableLoss(loss: () => tf.Scalar): () => tf.Scalar {
  const draws: number[] = [];
  let model: tfl.LayersModel | undefined;
  let called = false;
  return () => {
    if (!called) {
      called = true;
      const first = recordDraws(draws, () => modelOfLoss(loss));
      model = first.model;
      return first.value;
    }
    if (model?.stateful) {
      throw new Error('Stateful recurrent layers cannot see a batch twice: train with a plain optimizer.');
    }
    const restore = snapshotVariables();
    try {
      return replayDraws(draws, () => withoutMetrics(model, loss));
    } finally {
      restore();
    }
  };
}
