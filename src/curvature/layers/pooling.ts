import * as tf from '@tensorflow/tfjs-core';
import { multiplyEachColumn } from '../column-axis.js';
import type { Layer, Operation } from '../operation.js';
import { channelsFirst } from './channels-first.js';
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

/**
 * A layer's tensors as [B, H, W, C] and back. 1-d pooling is 2-d pooling of an image of width 1, as in tf.js; 3-d pooling is
 * 2-d pooling of every slice and then pooling along the depth.
 */
interface ImageView {
  toImage(x: tf.Tensor): tf.Tensor4D;
  /** @param like shape of a tensor on the other side of the pooling, of which only the axes not pooled are read. */
  fromImage(image: tf.Tensor4D, like: readonly number[]): tf.Tensor;
  /** Height and width of a layer's tensor of this shape, the batch axis first. */
  size(shape: readonly number[]): Pair;
}

function imageView({ dataFormat }: PoolingLayer): ImageView {
  if (dataFormat === 'channelsFirst') {
    return {
      toImage: (x) => tf.transpose(x as tf.Tensor4D, [0, 2, 3, 1]),
      fromImage: (image) => tf.transpose(image, [0, 3, 1, 2]),
      size: ([, , height, width]) => [height, width],
    };
  }
  return {
    toImage: (x) => (x.rank === 3 ? tf.expandDims(x, 2) : x) as tf.Tensor4D,
    fromImage: (image, like) => (like.length === 3 ? tf.squeeze(image, [2]) : image),
    size: (shape) => [shape[1], shape.length === 3 ? 1 : shape[2]],
  };
}

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
function poolingRule(operationOf: (layer: PoolingLayer, view: ImageView, windows: Windows) => Operation): {
  flat: LayerRule;
  volume: LayerRule;
} {
  return {
    flat: (anyLayer) => {
      const layer = anyLayer as PoolingLayer;
      return [operationOf(layer, imageView(layer), windowsOf(layer))];
    },
    volume: (anyLayer) => {
      const layer = anyLayer as PoolingLayer;
      const { poolSize, strides, padding } = layer;
      const chain = [
        operationOf(layer, slices, { size: poolSize.slice(1) as Pair, strides: strides.slice(1) as Pair, padding }),
        operationOf(layer, depths, { size: [poolSize[0], 1], strides: [strides[0], 1], padding }),
      ];
      return layer.dataFormat === 'channelsFirst' ? chain.map(channelsFirst) : chain;
    },
  };
}

/** Lowest float32: what max pooling pads with. */
const LOWEST = -3.4e38;

/** Where each window of an image lies: tap (i, j) of window (p, q) is pixel (p sh + i - top, q sw + j - left). */
function windowGrid(imageShape: Shape4, { size, strides, padding }: Windows) {
  const info = tf.backend_util.computePool2DInfo(imageShape, size, strides, 1, padding);
  const { outHeight, outWidth, padInfo } = info;
  return { outHeight, outWidth, top: padInfo.top, left: padInfo.left };
}

/**
 * For each tap of the window, a mask over the windows: 1 where the maximum was found at this tap. Ties go to the first tap,
 * as on the cpu and native backends; the gradient kernels of tf.js do not agree on them, and wasm's takes the first tap
 * wherever the maximum is not positive.
 *
 * @returns one [N, h, w, C] a tap, row by row.
 */
function tapMasks(image: tf.Tensor4D, pooled: tf.Tensor4D, windows: Windows): tf.Tensor[] {
  const [samples, height, width, channels] = image.shape;
  const { outHeight, outWidth, top, left } = windowGrid(image.shape, windows);
  const [strideHeight, strideWidth] = windows.strides;
  const spanHeight = (outHeight - 1) * strideHeight + windows.size[0];
  const spanWidth = (outWidth - 1) * strideWidth + windows.size[1];
  const below = Math.max(0, spanHeight - top - height);
  const right = Math.max(0, spanWidth - left - width);
  const padded = tf.pad(
    image,
    [
      [0, 0],
      [top, below],
      [left, right],
      [0, 0],
    ],
    LOWEST,
  );
  let free: tf.Tensor = tf.onesLike(pooled);
  const masks: tf.Tensor[] = [];
  for (let i = 0; i < windows.size[0]; i++) {
    for (let j = 0; j < windows.size[1]; j++) {
      const end = [samples, i + (outHeight - 1) * strideHeight + 1, j + (outWidth - 1) * strideWidth + 1, channels];
      const tap = tf.stridedSlice(padded, [0, i, j, 0], end, [1, strideHeight, strideWidth, 1]);
      const mask = tf.mul(tf.cast(tf.equal(tap, pooled), 'float32'), free);
      free = tf.sub(free, mask);
      masks.push(mask);
    }
  }
  return masks;
}

/** Cuts or fills with zeros what starts `top` and `left` outside of an image of [height, width]. */
function fitTo(x: tf.Tensor4D, [height, width]: Pair, top: number, left: number): tf.Tensor4D {
  const [batch, h, w, channels] = x.shape;
  const before = [Math.max(0, -top), Math.max(0, -left)];
  const begin = [Math.max(0, top), Math.max(0, left)];
  const rows = Math.min(h - begin[0], height - before[0]);
  const columns = Math.min(w - begin[1], width - before[1]);
  const cut =
    rows === h && columns === w ? x : tf.slice(x, [0, begin[0], begin[1], 0], [batch, rows, columns, channels]);
  const after = [height - before[0] - rows, width - before[1] - columns];
  if (before[0] + before[1] + after[0] + after[1] === 0) {
    return cut;
  }
  return tf.pad(cut, [
    [0, 0],
    [before[0], after[0]],
    [before[1], after[1]],
    [0, 0],
  ]) as tf.Tensor4D;
}

/** Windows that do not overlap, tap by tap, put back in their places: [N, H, W, C]. */
function tapsToImage(taps: tf.Tensor[], { size }: Windows): tf.Tensor4D {
  const [batch, h, w, channels] = taps[0].shape as Shape4;
  const rows = Array.from({ length: size[0] }, (_, i) => {
    const row = tf.concat(taps.slice(i * size[1], (i + 1) * size[1]), 3);
    return tf.reshape(row, [batch, h, w * size[1] * channels]);
  });
  return tf.reshape(tf.concat(rows, 2), [batch, h * size[0], w * size[1], channels]);
}

/** Zeros between the pixels, so that the pixels stand `strides` apart: [B, h, w, C] -> [B, h sh, w sw, C]. */
function spreadPixels(x: tf.Tensor4D, [strideHeight, strideWidth]: Pair): tf.Tensor4D {
  const [batch, h, w, channels] = x.shape;
  let spread: tf.Tensor = x;
  if (strideWidth > 1) {
    spread = tf.pad(tf.reshape(spread, [batch * h * w, 1, channels]), [
      [0, 0],
      [0, strideWidth - 1],
      [0, 0],
    ]);
  }
  if (strideHeight > 1) {
    const row = w * strideWidth * channels;
    spread = tf.pad(tf.reshape(spread, [batch * h, 1, row]), [
      [0, 0],
      [0, strideHeight - 1],
      [0, 0],
    ]);
  }
  return tf.reshape(spread, [batch, h * strideHeight, w * strideWidth, channels]);
}

/**
 * Max pooling: the delta of a window goes to where its maximum was found. Nothing of the forward pass is repeated for the
 * columns. Where windows do not overlap, the delta is repeated over its window and masked, in one multiplication;
 * otherwise tap by tap.
 */
function maxPoolingOperation(layer: PoolingLayer, view: ImageView, windows: Windows): Operation {
  const separate =
    windows.size.every((size, i) => size === windows.strides[i]) &&
    Math.max(...windows.size) <= LARGEST_EXACT_UPSAMPLING;
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'ties',
    piecewiseLinear: true,
    parameters: [],
    forward([x], recording = true) {
      const image = view.toImage(x);
      const pooled = tf.maxPool(image, windows.size, windows.strides, windows.padding);
      if (!recording) {
        return { output: view.fromImage(pooled, x.rank), saved: [] };
      }
      const masks = tapMasks(image, pooled, windows);
      return {
        output: view.fromImage(pooled, x.shape),
        saved: separate ? [tapsToImage(masks, windows)] : masks,
      };
    },
    backward({ saved, inputShapes }, delta, columns) {
      const imageSize = view.size(inputShapes[0]);
      const pooled = view.toImage(delta);
      const [batch, h, w, channels] = pooled.shape;
      const { top, left } = windowGrid([batch, ...imageSize, channels], windows);
      if (separate) {
        const repeated = tf.image.resizeNearestNeighbor(pooled, [h * windows.size[0], w * windows.size[1]]);
        const masked = multiplyEachColumn(repeated, saved[0], columns) as tf.Tensor4D;
        return [view.fromImage(fitTo(masked, imageSize, top, left), delta.shape)];
      }
      const parts = saved.map((mask, tap) => {
        const [i, j] = [Math.floor(tap / windows.size[1]), tap % windows.size[1]];
        const found = multiplyEachColumn(pooled, mask, columns) as tf.Tensor4D;
        return fitTo(spreadPixels(found, windows.strides), imageSize, top - i, left - j);
      });
      return [view.fromImage(tf.addN(parts), delta.shape)];
    },
  };
  return operation;
}

/** Max pooling of one, two or (volumes) three dimensions. Ties go to the first maximum in the order of the axes. */
export const { flat: maxPooling, volume: maxPooling3d } = poolingRule(maxPoolingOperation);

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
 * image. The gradient kernels of tf.js divide by the whole window, so they are given the padded image.
 */
function averagePoolingOperation(layer: PoolingLayer, view: ImageView, windows: Windows): Operation {
  const { size, strides, padding } = windows;
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'ties',
    piecewiseLinear: true,
    parameters: [],
    forward: ([x]) => ({
      output: view.fromImage(tf.avgPool(view.toImage(x), size, strides, padding), x.shape),
      saved: [],
    }),
    backward({ inputShapes }, delta) {
      const imageSize = view.size(inputShapes[0]);
      const pooled = view.toImage(delta);
      const [rows, h, w, channels] = pooled.shape;
      const { top, left } = windowGrid([rows, ...imageSize, channels], windows);
      const overWindow = tf.mul(pooled, tf.div(size[0] * size[1], cellsOfWindows(imageSize, windows)));
      const below = Math.max(0, (h - 1) * strides[0] + size[0] - top - imageSize[0]);
      const right = Math.max(0, (w - 1) * strides[1] + size[1] - left - imageSize[1]);
      // The kernel reads the shape of its input only.
      const input = tf.zeros([rows, top + imageSize[0] + below, left + imageSize[1] + right, channels]);
      const attributes = { filterSize: size, strides, pad: 'valid' };
      const back = tf.engine().runKernel('AvgPoolGrad', { dy: overWindow, input }, attributes) as tf.Tensor4D;
      return [view.fromImage(fitTo(back, imageSize, top, left), delta.shape)];
    },
  };
  return operation;
}

/** Average pooling of one, two or (volumes) three dimensions. */
export const { flat: averagePooling, volume: averagePooling3d } = poolingRule(averagePoolingOperation);

/** Maximum over all positions, channels last: the delta goes to the first position where it was found. */
export const globalMaxPooling: LayerRule = (anyLayer) => {
  const layer = anyLayer as PoolingLayer;
  const channelsFirst = layer.dataFormat === 'channelsFirst';
  const order = channelsFirst ? [0, 2, 3, 1] : null;
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'ties',
    piecewiseLinear: true,
    parameters: [],
    forward([x]) {
      const channelsLast = order ? tf.transpose(x, order) : x;
      const channels = channelsLast.shape[channelsLast.rank - 1];
      const flat: tf.Tensor3D = tf.reshape(channelsLast, [x.shape[0], -1, channels]);
      const positions = tf.reshape(tf.range(0, flat.shape[1], 1, 'int32'), [1, flat.shape[1], 1]);
      const found = tf.expandDims(tf.argMax(flat, 1), 1);
      return { output: tf.max(flat, 1), saved: [tf.cast(tf.equal(positions, found), 'float32')] };
    },
    backward({ saved, inputShapes }, delta, columns) {
      const [samples, positions, channels] = saved[0].shape;
      const byColumn = tf.reshape(delta, [columns, samples, 1, channels]);
      const back = tf.mul(byColumn, tf.reshape(saved[0], [1, samples, positions, channels]));
      const [, ...shape] = inputShapes[0];
      if (!channelsFirst) {
        return [tf.reshape(back, [delta.shape[0], ...shape])];
      }
      return [tf.transpose(tf.reshape(back, [delta.shape[0], shape[1], shape[2], shape[0]]), [0, 3, 1, 2])];
    },
  };
  return [operation];
};

/** Mean over all positions: the delta is shared out evenly. */
export const globalAveragePooling: LayerRule = (anyLayer) => {
  const layer = anyLayer as PoolingLayer;
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'ties',
    piecewiseLinear: true,
    parameters: [],
    forward([x]) {
      const [samples, ...shape] = x.shape;
      if (layer.dataFormat === 'channelsFirst') {
        return { output: tf.mean(tf.reshape(x, [samples, shape[0], -1]), 2), saved: [] };
      }
      const channels = shape[shape.length - 1];
      return { output: tf.mean(tf.reshape(x, [samples, -1, channels]), 1), saved: [] };
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
