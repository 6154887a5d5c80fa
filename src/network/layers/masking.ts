import * as tf from '@tensorflow/tfjs-core';
import { multiplyEachColumn } from './columns.js';
import type { Layer } from './operation.js';
import type { LayerRule } from './rule.js';
import { bySlope } from './sensitivity.js';

/**
 * Masking: positions whose features all equal `maskValue` are set to 0, and recurrent layers behind skip them (the mask itself
 * is a tensor of its own). With a `maskValue` of 0 nothing is changed.
 */
export const masking: LayerRule = (anyLayer) => {
  const layer = anyLayer as Layer & { maskValue: number };
  if (layer.maskValue === 0) {
    return [];
  }
  return [
    {
      layer,
      description: layer.getClassName(),
      scale: 'pins',
      piecewiseLinear: true,
      parameters: [],
      forward([x]) {
        const differs = tf.cast(tf.any(tf.notEqual(x, layer.maskValue), -1, true), 'float32');
        const kept = tf.mul(tf.onesLike(x), differs);
        return { output: tf.mul(x, kept), saved: [kept] };
      },
      backward: ({ saved }, delta, columns) => [multiplyEachColumn(delta, saved[0], columns)],
      sensitivity: bySlope,
    },
  ];
};
