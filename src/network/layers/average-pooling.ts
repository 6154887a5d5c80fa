import * as tf from '@tensorflow/tfjs-core';
import { averagePoolBack } from '../../tfjs/gradient-kernels.js';
import type { Operation } from './operation.js';
import {
  fitTo,
  type ImageView,
  type Pair,
  type PoolingLayer,
  poolingRule,
  type Shape4,
  type Windows,
  windowGrid,
} from './pooling-windows.js';
import type { LayerRule } from './rule.js';
import { byPlace, byPosition } from './sensitivity.js';

/** How many cells of each window lie inside the image: [1, h, w, 1]. */
function cellsOfWindows([height, width]: Pair, windows: Windows): tf.Tensor4D {
  const { outHeight, outWidth, top, left } = windowGrid([1, height, width, 1], windows);
  const inside = (begin: number, size: number, end: number) => Math.min(begin + size, end) - Math.max(begin, 0);
  const counts = Array.from({ length: outHeight }, (_, p) =>
    Array.from({ length: outWidth }, (_column, q) => {
      const rows = inside(p * windows.strides[0] - top, windows.size[0], height);
      return rows * inside(q * windows.strides[1] - left, windows.size[1], width);
    }),
  );
  return tf.reshape(tf.tensor2d(counts), [1, outHeight, outWidth, 1]);
}

/**
 * Average pooling: linear, so nothing of the forward pass is kept. With padding, the mean is over the cells inside of the
 * image.
 */
function averagePoolingOperation(layer: PoolingLayer, view: ImageView, windows: Windows): Operation {
  const { size, strides, padding } = windows;
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'ties',
    piecewiseLinear: true,
    differentiable: 'linear',
    parameters: [],
    forward: ([x]) => ({
      output: view.fromImage(tf.avgPool(view.toImage(x), size, strides, padding), x.shape),
      saved: [],
    }),
    sensitivity: {
      through: (q, call) => {
        const found = byPosition(operation).through(q, call);
        return found && tf.div(found, size[0] * size[1]);
      },
    },
    backward({ inputShapes }, delta) {
      const imageSize = view.size(inputShapes[0]);
      const pooled = view.toImage(delta);
      const [rows, , , channels] = pooled.shape;
      const { top, left, below, right } = windowGrid([rows, ...imageSize, channels], windows);
      const overWindow: tf.Tensor4D = tf.mul(pooled, tf.div(size[0] * size[1], cellsOfWindows(imageSize, windows)));
      const padded: Shape4 = [rows, top + imageSize[0] + below, left + imageSize[1] + right, channels];
      const back = averagePoolBack(overWindow, padded, size, strides);
      return [view.fromImage(fitTo(back, imageSize, top, left), delta.shape)];
    },
  };
  return operation;
}

/** Average pooling of one, two or (volumes) three dimensions. */
export const { flat: averagePooling, volume: averagePooling3d } = poolingRule(averagePoolingOperation);

/** Mean over all positions: the delta is shared out evenly. */
export const globalAveragePooling: LayerRule = (anyLayer) => {
  const layer = anyLayer as PoolingLayer;
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'ties',
    piecewiseLinear: true,
    differentiable: 'linear',
    parameters: [],
    forward([x]) {
      const [samples, ...shape] = x.shape;
      if (layer.dataFormat === 'channelsFirst') {
        return { output: tf.mean(tf.reshape(x, [samples, shape[0], -1]), 2), saved: [] };
      }
      const channels = shape[shape.length - 1];
      return { output: tf.mean(tf.reshape(x, [samples, -1, channels]), 1), saved: [] };
    },
    sensitivity: {
      through: (q, call) => {
        const found = byPlace(operation).through(q, call);
        return found && tf.div(found, call.inputs[0].size / call.output.size);
      },
    },
    backward({ inputShapes }, delta) {
      const [, ...shape] = inputShapes[0];
      const [rows, channels] = delta.shape as [number, number];
      const positions = shape.reduce((product, size) => product * size, 1) / channels;
      const first = layer.dataFormat === 'channelsFirst';
      const share = tf.fill(first ? [1, 1, positions] : [1, positions, 1], 1 / positions);
      const back = tf.mul(tf.reshape(delta, first ? [rows, channels, 1] : [rows, 1, channels]), share);
      return [tf.reshape(back, [rows, ...shape])];
    },
  };
  return [operation];
};
