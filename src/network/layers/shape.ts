import * as tf from '@tensorflow/tfjs-core';
import { cut } from '../../tfjs/mended-operations.js';
import { channelsFirst } from './channels-first.js';
import { callLayer } from './generic.js';
import type { Operation } from './operation.js';
import type { LayerRule } from './rule.js';
import { byPlace, byPosition } from './sensitivity.js';

const linear = { scale: 'ties', piecewiseLinear: true, differentiable: 'linear', parameters: [] } as const;

/** Layers that pass their input on unchanged when they do not train: dropout and noise. */
export const identity: LayerRule = () => [];

/** Layers that only name the axes anew: flatten and reshape. */
export const reshape: LayerRule = (layer) => {
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    ...linear,
    forward: (inputs) => ({ output: callLayer(layer, inputs), saved: [] }),
    backward: ({ inputShapes }, delta) => [tf.reshape(delta, [delta.shape[0], ...inputShapes[0].slice(1)])],
  };
  return [{ ...operation, sensitivity: byPlace(operation) }];
};

/** Flatten; a channels-first one puts the channels last before. */
export const flatten: LayerRule = (layer, parameter) => {
  const [operation] = reshape(layer, parameter);
  const { dataFormat } = layer as typeof layer & { dataFormat?: string };
  if (dataFormat !== 'channelsFirst') {
    return [operation];
  }
  const backward: Operation['backward'] = ({ inputShapes }, delta) => {
    const [, channels, ...spatial] = inputShapes[0];
    const channelsLast = tf.reshape(delta, [delta.shape[0], ...spatial, channels]);
    const last = channelsLast.rank - 1;
    return [tf.transpose(channelsLast, [0, last, ...spatial.map((_, i) => i + 1)])];
  };
  return [{ ...operation, backward }];
};

/** Axes in another order: the delta's go back. */
export const permute: LayerRule = (anyLayer) => {
  const layer = anyLayer as typeof anyLayer & { dims: number[] };
  const order = [0, ...layer.dims];
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    ...linear,
    forward: ([x]) => ({ output: tf.transpose(x, order), saved: [] }),
    sensitivity: { through: ([q]) => q && tf.transpose(q, order) },
    backward: (_call, delta) => [
      tf.transpose(
        delta,
        order.map((_, axis) => order.indexOf(axis)),
      ),
    ],
  };
  return [operation];
};

/** A vector n times: the deltas of its copies add up. */
export const repeatVector: LayerRule = (layer) => [
  {
    layer,
    description: layer.getClassName(),
    ...linear,
    forward: (inputs) => ({ output: callLayer(layer, inputs), saved: [] }),
    backward: (_call, delta) => [tf.sum(delta, 1)],
    sensitivity: { through: ([q]) => q && tf.expandDims(q, 1) },
  },
];

/** Pairs of numbers of rows and columns, for the height and the width. */
type Margins = [[number, number], [number, number]];

/** Moves pixels, and leaves channels what they are. */
const image = (moves: Operation, dataFormat: string): Operation => {
  const operation = { ...moves, sensitivity: byPosition(moves) };
  return dataFormat === 'channelsFirst' ? channelsFirst(operation) : operation;
};

/** Zeros around an image: the delta is cut back. */
export const zeroPadding: LayerRule = (anyLayer) => {
  const layer = anyLayer as typeof anyLayer & { padding: Margins; dataFormat: string };
  const [vertical, horizontal] = layer.padding;
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    ...linear,
    forward: ([x]) => ({ output: tf.pad(x, [[0, 0], vertical, horizontal, [0, 0]]), saved: [] }),
    backward: ({ inputShapes }, delta) => [
      cut(delta, [0, vertical[0], horizontal[0], 0], [delta.shape[0], ...inputShapes[0].slice(1)]),
    ],
  };
  return [image(operation, layer.dataFormat)];
};

/** The inner part of an image: the delta gets zeros around it. Without a data format, tf.js takes the channels to be first. */
export const cropping: LayerRule = (anyLayer) => {
  const layer = anyLayer as typeof anyLayer & { cropping: Margins; dataFormat: string | null };
  const [vertical, horizontal] = layer.cropping;
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    ...linear,
    forward: ([x]) => {
      const [samples, height, width, channels] = x.shape as number[];
      const size = [samples, height - vertical[0] - vertical[1], width - horizontal[0] - horizontal[1], channels];
      return { output: cut(x, [0, vertical[0], horizontal[0], 0], size), saved: [] };
    },
    backward: (_call, delta) => [tf.pad(delta, [[0, 0], vertical, horizontal, [0, 0]])],
  };
  return [image(operation, layer.dataFormat ?? 'channelsFirst')];
};

/**
 * Resizing along one axis by linear interpolation, as a matrix [to, from]. tf.js puts pixel i at i * from / to, and repeats
 * the last one beyond the end.
 */
function interpolation(from: number, to: number): tf.Tensor2D {
  const rows = Array.from({ length: to }, (_, i) => {
    const place = (i * from) / to;
    const below = Math.floor(place);
    const above = Math.min(from - 1, Math.ceil(place));
    const row = Array<number>(from).fill(0);
    row[below] += 1 - (place - below);
    row[above] += place - below;
    return row;
  });
  return tf.tensor2d(rows, [to, from]);
}

/**
 * Larger images. Nearest neighbours: every pixel is repeated, and the deltas of its copies add up. Bilinear: a product with
 * one matrix for the rows and one for the columns. (tf.js' own gradient of the first is wrong on the cpu backend for several
 * images.)
 */
export const upSampling: LayerRule = (anyLayer) => {
  const layer = anyLayer as typeof anyLayer & { size: [number, number]; interpolation: string; dataFormat: string };
  const [vertical, horizontal] = layer.size;
  const bilinear = layer.interpolation !== 'nearest';
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    ...linear,
    forward: ([x]) => {
      const pixels = x as tf.Tensor4D;
      const size: [number, number] = [pixels.shape[1] * vertical, pixels.shape[2] * horizontal];
      const resize = bilinear ? tf.image.resizeBilinear : tf.image.resizeNearestNeighbor;
      return { output: resize(pixels, size), saved: [] };
    },
    backward: ({ inputShapes }, delta) => {
      if (!bilinear) {
        return [tf.mul(tf.avgPool(delta as tf.Tensor4D, layer.size, layer.size, 'valid'), vertical * horizontal)];
      }
      const [rows, tall, wide, channels] = delta.shape;
      const [, height, width] = inputShapes[0];
      const across = tf.expandDims(interpolation(width, wide), 0);
      const down = tf.expandDims(interpolation(height, tall), 0);
      const narrow = tf.matMul(across, tf.reshape(delta, [rows * tall, wide, channels]), true);
      const back = tf.matMul(down, tf.reshape(narrow, [rows, tall, width * channels]), true);
      return [tf.reshape(back, [rows, height, width, channels])];
    },
  };
  return [image(operation, layer.dataFormat)];
};
