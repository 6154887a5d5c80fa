import * as tf from '@tensorflow/tfjs-core';
import { multiplyEachColumn, repeatForColumns } from '../column-axis.js';
import type { Layer, Operation } from '../operation.js';
import { weightless } from './generic.js';
import type { LayerRule } from './rule.js';

interface PoolingLayer extends Layer {
  poolSize: number[];
  strides: number[];
  padding: 'valid' | 'same';
  dataFormat?: string;
}

type Pair = [number, number];
type Shape4 = [number, number, number, number];

interface Windows {
  readonly size: Pair;
  readonly strides: Pair;
  readonly padding: 'valid' | 'same';
}

/** Nearest-neighbour resizing by a whole factor is exact in float32 at least up to this factor. */
const LARGEST_EXACT_UPSAMPLING = 8;

/** 1-d pooling is 2-d pooling of an image of width 1, as in tf.js. */
function asImage(x: tf.Tensor): tf.Tensor4D {
  return (x.rank === 3 ? tf.expandDims(x, 2) : x) as tf.Tensor4D;
}

function windowsOf(layer: PoolingLayer): Windows {
  const asPair = (values: number[]) => (values.length === 1 ? [values[0], 1] : values) as Pair;
  return { size: asPair(layer.poolSize), strides: asPair(layer.strides), padding: layer.padding };
}

/** The tf.js kernel behind the gradient of max pooling: ties go to the position that this backend trains with. */
function maxPoolGrad(dy: tf.Tensor, input: tf.Tensor, output: tf.Tensor, windows: Windows): tf.Tensor4D {
  const attributes = { filterSize: windows.size, strides: windows.strides, pad: windows.padding };
  return tf.engine().runKernel('MaxPoolGrad', { dy, input, output }, attributes) as tf.Tensor4D;
}

/**
 * Each value of a pooled image repeated over its window, for windows that do not overlap: [B, h, w, C] -> [B, H, W, C].
 * Positions that no window covers get 0.
 */
function spreadOverWindows(pooled: tf.Tensor4D, { size, strides, padding }: Windows, [h, w]: Pair): tf.Tensor4D {
  const [batch, outHeight, outWidth, channels] = pooled.shape;
  const repeated = tf.image.resizeNearestNeighbor(pooled, [outHeight * size[0], outWidth * size[1]]);
  const { top, left } = tf.backend_util.computePool2DInfo([batch, h, w, channels], size, strides, 1, padding).padInfo;
  const rows = Math.min(h, repeated.shape[1] - top);
  const columns = Math.min(w, repeated.shape[2] - left);
  const covered = tf.slice(repeated, [0, top, left, 0], [batch, rows, columns, channels]);
  if (rows === h && columns === w) {
    return covered;
  }
  return tf.pad(covered, [[0, 0], [0, h - rows], [0, w - columns], [0, 0]]); // biome-ignore format: one line
}

/**
 * Max pooling. Where windows do not overlap, every position belongs to one window: the delta is spread over the windows and
 * masked by where each maximum was found, so that no activation is repeated for the columns.
 */
export const maxPooling: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as PoolingLayer;
  if (layer.dataFormat === 'channelsFirst') {
    return weightless({ scale: 'ties', piecewiseLinear: true })(layer, parameter);
  }
  const windows = windowsOf(layer);
  const separate =
    windows.size.every((size, i) => size === windows.strides[i]) &&
    Math.max(...windows.size) <= LARGEST_EXACT_UPSAMPLING;
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'ties',
    piecewiseLinear: true,
    parameters: [],
    forward([x]) {
      const image = asImage(x);
      const pooled = tf.maxPool(image, windows.size, windows.strides, windows.padding);
      const output = x.rank === 3 ? tf.squeeze(pooled, [2]) : pooled;
      if (separate) {
        return { output, saved: [maxPoolGrad(tf.onesLike(pooled), image, pooled, windows)] };
      }
      return { output, saved: [image, pooled] };
    },
    backward({ saved, inputShapes }, delta, columns) {
      const [, h, w] = saved[0].shape as Shape4;
      const pooled = asImage(delta);
      const back = separate
        ? multiplyEachColumn(spreadOverWindows(pooled, windows, [h, w]), saved[0], columns)
        : maxPoolGrad(pooled, repeatForColumns(saved[0], columns), repeatForColumns(saved[1], columns), windows);
      return [tf.reshape(back, [delta.shape[0], ...inputShapes[0].slice(1)])];
    },
  };
  return [operation];
};

/** Average pooling: linear, so nothing of the forward pass is kept. */
export const averagePooling: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as PoolingLayer;
  if (layer.dataFormat === 'channelsFirst') {
    return weightless({ scale: 'ties', piecewiseLinear: true })(layer, parameter);
  }
  const { size, strides, padding } = windowsOf(layer);
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'ties',
    piecewiseLinear: true,
    parameters: [],
    forward([x]) {
      const pooled = tf.avgPool(asImage(x), size, strides, padding);
      return { output: x.rank === 3 ? tf.squeeze(pooled, [2]) : pooled, saved: [] };
    },
    backward({ inputShapes }, delta) {
      const shape = [delta.shape[0], ...inputShapes[0].slice(1)];
      const imageShape = shape.length === 3 ? [shape[0], shape[1], 1, shape[2]] : shape;
      // The kernel reads the shape of its input only.
      const input = tf.zeros(imageShape);
      const attributes = { filterSize: size, strides, pad: padding };
      const back = tf.engine().runKernel('AvgPoolGrad', { dy: asImage(delta), input }, attributes) as tf.Tensor;
      return [tf.reshape(back, shape)];
    },
  };
  return [operation];
};

/** Mean over all positions, channels last: the delta is shared out evenly. */
export const globalAveragePooling: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as PoolingLayer;
  if (layer.dataFormat === 'channelsFirst') {
    return weightless({ scale: 'ties', piecewiseLinear: true })(layer, parameter);
  }
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'ties',
    piecewiseLinear: true,
    parameters: [],
    forward([x]) {
      const [samples, ...shape] = x.shape;
      const channels = shape[shape.length - 1];
      return { output: tf.mean(tf.reshape(x, [samples, -1, channels]), 1), saved: [] };
    },
    backward({ inputShapes }, delta) {
      const [, ...shape] = inputShapes[0];
      const [rows, channels] = delta.shape;
      const positions = shape.slice(0, -1).reduce((product, size) => product * size, 1);
      const share = tf.fill([1, positions, 1], 1 / positions);
      const back = tf.mul(tf.reshape(delta, [rows, 1, channels as number]), share);
      return [tf.reshape(back, [rows, ...shape])];
    },
  };
  return [operation];
};
