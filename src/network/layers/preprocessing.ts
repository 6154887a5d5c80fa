import * as tf from '@tensorflow/tfjs-core';
import { callLayer } from './generic.js';
import type { Operation } from './operation.js';
import type { LayerRule } from './rule.js';
import { nothingPasses } from './sensitivity.js';

/** y = scale x + offset, with numbers that are not trained, one in all or one a channel: homogeneous without the offset. */
export const rescaling: LayerRule = (anyLayer) => {
  const layer = anyLayer as typeof anyLayer & { scale: number | number[]; offset: number | number[] };
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    scale: [layer.offset].flat().every((offset) => offset === 0) ? 'ties' : 'pins',
    piecewiseLinear: true,
    parameters: [],
    forward: (inputs) => ({ output: callLayer(layer, inputs), saved: [] }),
    backward: (_call, delta) => [tf.mul(delta, layer.scale)],
    sensitivity: { through: ([q]) => q && tf.mul(q, tf.square(tf.tensor(layer.scale))) },
  };
  return [operation];
};

/** Whole numbers as one-hot, multi-hot or counts: nothing that they come from has a gradient. */
export const categoryEncoding: LayerRule = (layer) => [
  {
    layer,
    description: layer.getClassName(),
    scale: 'pins',
    piecewiseLinear: true,
    parameters: [],
    forward: (inputs) => ({ output: callLayer(layer, inputs), saved: [] }),
    backward: ({ inputShapes }, delta) => [tf.zeros([delta.shape[0], ...inputShapes[0].slice(1)])],
    sensitivity: nothingPasses,
  },
];

/** A layer that tf.js has no gradient for: it can stand in front of the first trained weights only. */
export const inFront: LayerRule = (layer) => [
  {
    layer,
    description: layer.getClassName(),
    scale: 'pins',
    piecewiseLinear: true,
    parameters: [],
    forward: (inputs) => ({ output: callLayer(layer, inputs), saved: [] }),
    backward: () => {
      throw new Error(
        'it has no gradient in tf.js, so that nothing can be trained in front of it; move it before the first layer with weights.',
      );
    },
  },
];
