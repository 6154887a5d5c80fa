import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { measureSharpness } from 'tfjs-sharpness';
import type { Rescaled } from './messages.js';
import type { Rescalable } from './networks.js';

/**
 * Measures, multiplies a layer and divides the next one, measures again, and puts the weights back bit for bit. Every column of every
 * sample is run, since two draws of pairs would differ a little.
 */
export async function rescaled(
  model: tfl.LayersModel,
  { name, layer, next }: Rescalable,
  factor: number,
  x: tf.Tensor2D,
  signal: AbortSignal,
): Promise<Rescaled> {
  const measured = async () => {
    const { trace, minimumSharpness } = await measureSharpness(model, x, { method: 'exact', memoryMB: 32, signal });
    return { trace, minimumSharpness };
  };
  const before = await measured();
  const expected = model.predict(x) as tf.Tensor;
  const kept = [layer, next].map((each) => each.getWeights().map((weight) => tf.clone(weight)));
  try {
    scale(layer, [factor, factor]);
    scale(next, [1 / factor]);
    const after = await measured();
    const largest = tf.tidy(() => tf.max(tf.abs(tf.sub(model.predict(x) as tf.Tensor, expected))));
    const [change] = await largest.data();
    largest.dispose();
    return { layer: name, factor, before, after, change, samples: x.shape[0] };
  } finally {
    try {
      layer.setWeights(kept[0]);
      next.setWeights(kept[1]);
    } finally {
      tf.dispose([kept, expected]);
    }
  }
}

/** Multiplies a layer's first weights, one factor each. */
function scale(layer: tfl.layers.Layer, factors: readonly number[]): void {
  tf.tidy(() =>
    layer.setWeights(layer.getWeights().map((weight, i) => (i < factors.length ? tf.mul(weight, factors[i]) : weight))),
  );
}
