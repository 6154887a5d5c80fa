import * as tf from '@tensorflow/tfjs-core';
import type { Operation } from '../operation.js';
import { callLayer, weightless } from './generic.js';
import type { LayerRule } from './rule.js';

const linear = { scale: 'ties', piecewiseLinear: true, parameters: [] } as const;

/** Layers that pass their input on unchanged when they do not train: dropout and noise. */
export const identity: LayerRule = () => [];

/** Layers that only name the axes anew: flatten and reshape. */
export const reshape: LayerRule = (layer) => [
  {
    layer,
    description: layer.getClassName(),
    ...linear,
    forward: (inputs) => ({ output: callLayer(layer, inputs), saved: [] }),
    backward: ({ inputShapes }, delta) => [tf.reshape(delta, [delta.shape[0], ...inputShapes[0].slice(1)])],
  },
];

/** Flatten; a channels-first one also moves the channels, which is left to tf.js. */
export const flatten: LayerRule = (layer, parameter) => {
  const { dataFormat } = layer as typeof layer & { dataFormat?: string };
  const rule = dataFormat === 'channelsFirst' ? weightless(linear) : reshape;
  return rule(layer, parameter);
};

/** Zeros around an image: the delta is cut back. */
export const zeroPadding: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as typeof anyLayer & { padding: [[number, number], [number, number]]; dataFormat: string };
  if (layer.dataFormat === 'channelsFirst') {
    return weightless(linear)(layer, parameter);
  }
  const [vertical, horizontal] = layer.padding;
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    ...linear,
    forward: ([x]) => ({ output: tf.pad(x, [[0, 0], vertical, horizontal, [0, 0]]), saved: [] }),
    backward: ({ inputShapes }, delta) => [
      tf.slice(delta, [0, vertical[0], horizontal[0], 0], [delta.shape[0], ...inputShapes[0].slice(1)]),
    ],
  };
  return [operation];
};

/** Repeats every pixel: the deltas of its copies add up. Bilinear interpolation is left to tf.js. */
export const upSampling: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as typeof anyLayer & { size: [number, number]; interpolation: string; dataFormat: string };
  if (layer.dataFormat === 'channelsFirst' || layer.interpolation !== 'nearest') {
    return weightless(linear)(layer, parameter);
  }
  const [vertical, horizontal] = layer.size;
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    ...linear,
    forward: (inputs) => ({ output: callLayer(layer, inputs), saved: [] }),
    backward: (_call, delta) => {
      const mean = tf.avgPool(delta as tf.Tensor4D, layer.size, layer.size, 'valid');
      return [tf.mul(mean, vertical * horizontal)];
    },
  };
  return [operation];
};
