import * as tf from '@tensorflow/tfjs-core';
import { maxPoolBack } from '../../tfjs/gradient-kernels.js';
import { cut, largestShifted, pad, parts, repeatPixels, withShape } from '../../tfjs/mended-operations.js';
import { multiplyEachColumn } from './columns.js';
import { firstMatches } from './first-matches.js';
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

/** Nearest-neighbour resizing by a whole factor is exact in float32 at least up to this factor. */
const LARGEST_EXACT_UPSAMPLING = 8;

/** Lowest float32: what max pooling pads with. */
const LOWEST = -3.4e38;

/** That of an image which windows side by side cover, [h, w] of them. */
const coveredBy = (image: tf.Tensor4D, size: Pair, [h, w]: Pair) => fitTo(image, [h * size[0], w * size[1]], 0, 0);

/** [B, P, C] -> [B, 1, C] of each position. */
const everyPlace = (x: tf.Tensor) => parts(x, Array<number>(x.shape[1] as number).fill(1), 1);

/** What each tap of the window sees of an image, [N, h, w, C] a tap, row by row. */
function tapsOf(image: tf.Tensor4D, { size, strides }: Windows, [h, w]: Pair): tf.Tensor[] {
  const [samples, , , channels] = image.shape;
  if (size[0] === strides[0] && size[1] === strides[1]) {
    // Windows that stand side by side: cutting up is much faster than strided slices.
    const covered = coveredBy(image, size, [h, w]);
    const rows = everyPlace(tf.reshape(covered, [samples * h, size[0], w * size[1] * channels]));
    return rows.flatMap((row) => {
      const taps = everyPlace(tf.reshape(row, [samples * h * w, size[1], channels]));
      return taps.map((tap) => tf.reshape(tap, [samples, h, w, channels]));
    });
  }
  return Array.from({ length: size[0] * size[1] }, (_, tap) => {
    const begin = [0, Math.floor(tap / size[1]), tap % size[1], 0];
    const end = [samples, begin[1] + (h - 1) * strides[0] + 1, begin[2] + (w - 1) * strides[1] + 1, channels];
    return strides[0] * strides[1] === 1
      ? cut(image, begin, [samples, h, w, channels])
      : tf.stridedSlice(image, begin, end, [1, ...strides, 1]);
  });
}

/**
 * For each tap of the window, a mask over the windows: 1, or the slope given, where the maximum was found at this tap. Ties go
 * to the first tap, as on the cpu and native backends; the gradient kernels of tf.js do not agree on them, and wasm's takes the
 * first tap wherever the maximum is not positive.
 *
 * @param slope [N, h, w, C].
 * @returns one [N, h, w, C] a tap, row by row.
 */
function tapMasks(image: tf.Tensor4D, pooled: tf.Tensor4D, windows: Windows, slope?: tf.Tensor): tf.Tensor[] {
  return firstMatches(paddedTaps(image, windows), pooled, slope, true);
}

/** The masks of windows that do not overlap, put in their places, padding included: [N, H, W, C]. */
function maskOfImage(image: tf.Tensor4D, pooled: tf.Tensor4D, windows: Windows, slope?: tf.Tensor): tf.Tensor4D {
  const { size, strides } = windows;
  const [, h, w] = pooled.shape;
  const covered = coveredBy(padded(image, windows), size, [h, w]);
  const found = maxPoolBack((slope ?? tf.onesLike(pooled)) as tf.Tensor4D, covered, pooled, size, strides);
  return found ?? tapsToImage(firstMatches(tapsOf(covered, windows, [h, w]), pooled, slope, true), windows);
}

/** What each tap sees, the padding included: one [N, h, w, C] a tap. */
function paddedTaps(image: tf.Tensor4D, windows: Windows): tf.Tensor[] {
  const { outHeight, outWidth } = windowGrid(image.shape, windows);
  return tapsOf(padded(image, windows), windows, [outHeight, outWidth]);
}

/** An image with what max pooling takes its padding for. */
function padded(image: tf.Tensor4D, windows: Windows): tf.Tensor4D {
  const { top, left, below, right } = windowGrid(image.shape, windows);
  const paddings = [
    [0, 0],
    [top, below],
    [left, right],
    [0, 0],
  ] as [number, number][];
  return top + below + left + right > 0 ? pad(image, paddings, LOWEST) : image;
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
  if (strideHeight * strideWidth === 1) {
    return x;
  }
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
  return withShape(spread, [batch, h * strideHeight, w * strideWidth, channels]);
}

/**
 * tf.maxPool, where windows move by one pixel by maxima of shifted images, along one axis and then the other, if that is faster.
 */
function pool(image: tf.Tensor4D, { size, strides, padding }: Windows): tf.Tensor4D {
  if (padding !== 'valid' || Math.max(...strides) > 1 || Math.max(...size) > largestShifted()) {
    return tf.maxPool(image, size, strides, padding);
  }
  return size.reduce((x, taps, i) => {
    const shape = x.shape.map((length, axis) => (axis === i + 1 ? length - taps + 1 : length)) as Shape4;
    const begin = (tap: number): Shape4 => (i === 0 ? [0, tap, 0, 0] : [0, 0, tap, 0]);
    const shifted = Array.from({ length: taps }, (_, tap) => cut(x, begin(tap), shape));
    return shifted.reduce((a, b) => tf.maximum(a, b));
  }, image);
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
  /** The forward pass, of the activation that follows too: its slope then stands in the masks. */
  const forwardWith = (activation?: Operation): Operation['forward'] =>
    function forward([x], recording = true) {
      const image = view.toImage(x);
      const pooled = pool(image, windows);
      const { output, saved } = activation?.forward([pooled], recording) ?? { output: pooled, saved: [] };
      const masks = () =>
        separate ? [maskOfImage(image, pooled, windows, saved[0])] : tapMasks(image, pooled, windows, saved[0]);
      return { output: view.fromImage(output as tf.Tensor4D, x.shape), saved: recording ? masks() : [] };
    };
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'ties',
    piecewiseLinear: true,
    takesMaxima: true,
    differentiable: 'selects',
    parameters: [],
    forward: forwardWith(),
    // No less than that of the largest element, wherever it stands.
    sensitivity: byPosition({ forward: forwardWith() }),
    before: (activation) => ({ ...operation, forward: forwardWith(activation) }),
    backward({ saved, inputShapes }, delta, columns) {
      const imageSize = view.size(inputShapes[0]);
      const pooled = view.toImage(delta);
      const [batch, , , channels] = pooled.shape;
      const { top, left } = windowGrid([batch, ...imageSize, channels], windows);
      if (separate) {
        const repeated = repeatPixels(pooled, windows.size);
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
    onPieceOf({ saved }, [recorded], [x]) {
      const image = view.toImage(x);
      const { outHeight, outWidth } = windowGrid(image.shape, windows);
      const masks = separate ? tapsOf(saved[0] as tf.Tensor4D, windows, [outHeight, outWidth]) : saved;
      const taps = paddedTaps(image, windows);
      return view.fromImage(tf.addN(taps.map((tap, i) => tf.mul(tap, masks[i]))) as tf.Tensor4D, recorded.shape);
    },
  };
  return operation;
}

/** Max pooling of one, two or (volumes) three dimensions. Ties go to the first maximum in the order of the axes. */
export const { flat: maxPooling, volume: maxPooling3d } = poolingRule(maxPoolingOperation);

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
    takesMaxima: true,
    differentiable: 'selects',
    parameters: [],
    forward([x]) {
      const channelsLast = order ? tf.transpose(x, order) : x;
      const channels = channelsLast.shape[channelsLast.rank - 1];
      const flat: tf.Tensor3D = tf.reshape(channelsLast, [x.shape[0], -1, channels]);
      const positions = tf.reshape(tf.range(0, flat.shape[1], 1, 'int32'), [1, flat.shape[1], 1]);
      const found = tf.expandDims(tf.argMax(flat, 1), 1);
      return { output: tf.max(flat, 1), saved: [tf.cast(tf.equal(positions, found), 'float32')] };
    },
    sensitivity: { through: (q, call) => byPlace(operation).through(q, call) },
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
    onPieceOf({ saved: [found] }, _recorded, [x]) {
      const channelsLast = order ? tf.transpose(x, order) : x;
      return tf.sum(tf.mul(found, tf.reshape(channelsLast, found.shape)), 1);
    },
  };
  return [operation];
};
