import * as tf from '@tensorflow/tfjs-core';
import { cut, pad } from '../../tfjs/mended-operations.js';
import { channelsFirst } from './channels-first.js';
import type { Layer, Operation } from './operation.js';
import type { LayerRule } from './rule.js';

export interface PoolingLayer extends Layer {
  poolSize: number[];
  strides: number[];
  padding: 'valid' | 'same';
  dataFormat?: string;
}

export type Pair = [number, number];
export type Shape4 = [number, number, number, number];

export interface Windows {
  readonly size: Pair;
  readonly strides: Pair;
  readonly padding: 'valid' | 'same';
}

/**
 * A layer's tensors as [B, H, W, C] and back. 1-d pooling is 2-d pooling of an image of width 1, as in tf.js; 3-d pooling is
 * 2-d pooling of every slice and then pooling along the depth.
 */
export interface ImageView {
  toImage(x: tf.Tensor): tf.Tensor4D;
  /** @param like shape of a tensor on the other side of the pooling, of which only the axes not pooled are read. */
  fromImage(image: tf.Tensor4D, like: readonly number[]): tf.Tensor;
  /** Height and width of a layer's tensor of this shape, the batch axis first. */
  size(shape: readonly number[]): Pair;
}

/** [B, H, W, C] as it is, [B, W, C] as images of one column. */
const images: ImageView = {
  toImage: (x) => (x.rank === 3 ? tf.expandDims(x, 2) : x) as tf.Tensor4D,
  fromImage: (image, like) => (like.length === 3 ? tf.squeeze(image, [2]) : image),
  size: (shape) => [shape[1], shape.length === 3 ? 1 : shape[2]],
};

/** [B, D, H, W, C] as the images of its slices, [B * D, H, W, C]. */
const slices: ImageView = {
  toImage(x) {
    const [batch, depth, height, width, channels] = x.shape as number[];
    return tf.reshape(x, [batch * depth, height, width, channels]);
  },
  fromImage: (image, [, depth]) => tf.reshape(image, [-1, depth, ...image.shape.slice(1)]),
  size: ([, , height, width]) => [height, width],
};

/** [B, D, H, W, C] as images of one slice a row, [B, D, H * W, C]. */
const depths: ImageView = {
  toImage(x) {
    const [batch, depth, height, width, channels] = x.shape as number[];
    return tf.reshape(x, [batch, depth, height * width, channels]);
  },
  fromImage(image, [, , height, width]) {
    const [batch, depth, , channels] = image.shape;
    return tf.reshape(image, [batch, depth, height, width, channels]);
  },
  size: ([, depth, height, width]) => [depth, height * width],
};

function windowsOf(layer: PoolingLayer): Windows {
  const asPair = (values: number[]) => (values.length === 1 ? [values[0], 1] : values) as Pair;
  return { size: asPair(layer.poolSize), strides: asPair(layer.strides), padding: layer.padding };
}

/** Pooling in one or two dimensions by one operation, in three by two. */
export function poolingRule(operationOf: (layer: PoolingLayer, view: ImageView, windows: Windows) => Operation): {
  flat: LayerRule;
  volume: LayerRule;
} {
  const withChannelsLast = ({ dataFormat }: PoolingLayer, chain: Operation[]) =>
    dataFormat === 'channelsFirst' ? chain.map(channelsFirst) : chain;
  return {
    flat: (anyLayer) => {
      const layer = anyLayer as PoolingLayer;
      return withChannelsLast(layer, [operationOf(layer, images, windowsOf(layer))]);
    },
    volume: (anyLayer) => {
      const layer = anyLayer as PoolingLayer;
      const { poolSize, strides, padding } = layer;
      return withChannelsLast(layer, [
        operationOf(layer, slices, { size: poolSize.slice(1) as Pair, strides: strides.slice(1) as Pair, padding }),
        operationOf(layer, depths, { size: [poolSize[0], 1], strides: [strides[0], 1], padding }),
      ]);
    },
  };
}

/**
 * Where each window of an image lies: tap (i, j) of window (p, q) is pixel (p sh + i - top, q sw + j - left); `below` and
 * `right` are how far the last windows reach beyond the image.
 */
export function windowGrid([batch, height, width, channels]: Shape4, { size, strides, padding }: Windows) {
  const info = tf.backend_util.computePool2DInfo([batch, height, width, channels], size, strides, 1, padding);
  const { outHeight, outWidth, padInfo } = info;
  const { top, left } = padInfo;
  const below = Math.max(0, (outHeight - 1) * strides[0] + size[0] - top - height);
  const right = Math.max(0, (outWidth - 1) * strides[1] + size[1] - left - width);
  return { outHeight, outWidth, top, left, below, right };
}

/** Cuts or fills with zeros what starts `top` and `left` outside of an image of [height, width]. */
export function fitTo(x: tf.Tensor4D, [height, width]: Pair, top: number, left: number): tf.Tensor4D {
  const [batch, h, w, channels] = x.shape;
  const before = [Math.max(0, -top), Math.max(0, -left)];
  const begin = [Math.max(0, top), Math.max(0, left)];
  const rows = Math.min(h - begin[0], height - before[0]);
  const columns = Math.min(w - begin[1], width - before[1]);
  const inside = rows === h && columns === w ? x : cut(x, [0, begin[0], begin[1], 0], [batch, rows, columns, channels]);
  const after = [height - before[0] - rows, width - before[1] - columns];
  if (before[0] + before[1] + after[0] + after[1] === 0) {
    return inside;
  }
  return pad(inside, [
    [0, 0],
    [before[0], after[0]],
    [before[1], after[1]],
    [0, 0],
  ]);
}
