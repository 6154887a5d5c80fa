import * as tf from '@tensorflow/tfjs-core';
import { callLayer, throughTfjs, weightless } from './generic.js';
import type { LayerRule } from './rule.js';

/** Sum of inputs of one shape: every input gets the delta as it is. */
export const add: LayerRule = (layer, parameter) => {
  const shapes = (layer.inboundNodes[0].inputShapes as (number | null)[][]).map((shape) => shape.slice(1).join());
  if (shapes.some((shape) => shape !== shapes[0])) {
    // Inputs that are broadcast against each other: tf.js sums the deltas over the broadcast axes.
    return weightless({ scale: 'ties', piecewiseLinear: true })(layer, parameter);
  }
  return [
    {
      layer,
      description: layer.getClassName(),
      scale: 'ties',
      piecewiseLinear: true,
      parameters: [],
      forward: (inputs) => ({ output: inputs.length === 1 ? inputs[0].clone() : tf.addN(inputs), saved: [] }),
      backward: ({ inputShapes }, delta) => inputShapes.map(() => delta.clone()),
    },
  ];
};

/** Concatenation along one axis: the delta is cut up. */
export const concatenate: LayerRule = (anyLayer) => {
  const layer = anyLayer as typeof anyLayer & { axis: number };
  const axisOf = (rank: number) => (layer.axis < 0 ? layer.axis + rank : layer.axis);
  return [
    {
      layer,
      description: layer.getClassName(),
      scale: 'ties',
      piecewiseLinear: true,
      parameters: [],
      forward: (inputs) => ({ output: tf.concat(inputs, axisOf(inputs[0].rank)), saved: [] }),
      backward({ inputShapes }, delta) {
        const axis = axisOf(delta.rank);
        return tf.split(
          delta,
          inputShapes.map((shape) => shape[axis]),
          axis,
        );
      },
    },
  ];
};

/** Inner product of two inputs; normalized, it does not change when they are rescaled. */
export const dot: LayerRule = (anyLayer) => {
  const layer = anyLayer as typeof anyLayer & { normalize: boolean };
  return [
    throughTfjs(layer, layer.getClassName(), (inputs) => callLayer(layer, inputs), {
      scale: layer.normalize ? 'pins' : 'adds',
      piecewiseLinear: false,
    }),
  ];
};
