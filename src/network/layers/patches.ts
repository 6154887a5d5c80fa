import * as tf from '@tensorflow/tfjs-core';
import { cut, pad, spreadAxis, stridedSlice } from '../../tfjs/mended-operations.js';
import { type KernelInputs, windowsAtOnce } from '../../tfjs/products.js';
import { kernelInputsOf } from './squared-norms.js';

/** A convolution over two or three spatial axes, with one entry an axis. */
export interface Geometry {
  readonly kernelSize: readonly number[];
  readonly strides: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: 'valid' | 'same';
}

export type Shape4 = [number, number, number, number];

/** Positions of a window along one axis, and the padding before and behind the axis. */
export interface Slide {
  readonly positions: number;
  readonly before: number;
  readonly behind: number;
}

/** How the window slides along one axis of a tensor. */
function slideAlong(axis: number, length: number, geometry: Geometry): Slide {
  const { kernelSize, strides, dilation, padding } = geometry;
  const { outHeight, padInfo } = tf.backend_util.computeConv2DInfo(
    [1, length, 1, 1],
    [kernelSize[axis], 1, 1, 1],
    [strides[axis], 1],
    [dilation[axis], 1],
    padding,
  );
  return { positions: outHeight, before: padInfo.top, behind: padInfo.bottom };
}

/** Zeros between the taps of a kernel [...spatial, in, out]: a convolution with it is the dilated one. */
export function dilateKernel(kernel: tf.Tensor, dilation: readonly number[]): tf.Tensor {
  return dilation.reduce((filled, step, axis) => spreadAxis(filled, axis, step), kernel);
}

/**
 * Deltas of a convolution made ready for its transpose: `strides` apart and padded, so that a convolution of stride 1
 * without padding, with the dilated kernel turned around, reaches every entry of the input.
 *
 * @param delta [B, ...positions, O].
 * @param inputShape of the convolution, [B, ...spatial, I].
 */
export function spreadForTranspose(delta: tf.Tensor, inputShape: readonly number[], geometry: Geometry): tf.Tensor {
  const { strides } = geometry;
  const spread = strides.reduce((x, stride, axis) => spreadAxis(x, axis + 1, stride), delta);
  return pad(spread, [[0, 0], ...transposePadding(delta.shape, inputShape, geometry), [0, 0]]);
}

/** The zeros before and behind each spatial axis of such deltas. */
export function transposePadding(
  deltaShape: readonly number[],
  inputShape: readonly number[],
  geometry: Geometry,
): [number, number][] {
  const { kernelSize, strides, dilation } = geometry;
  return kernelSize.map((taps, axis) => {
    const length = inputShape[axis + 1];
    const reach = (taps - 1) * dilation[axis];
    const before = reach - slideAlong(axis, length, geometry).before;
    const apart = (deltaShape[axis + 1] - 1) * strides[axis] + 1;
    return [before, length + reach - apart - before];
  });
}

/**
 * What the kernel sees at each output position: [N, ...spatial, C] -> [N, P, taps * C], in the order of the kernel's axes.
 */
export function patches(x: tf.Tensor, geometry: Geometry): tf.Tensor3D {
  if (x.rank === 4) {
    return imagePatches(x as tf.Tensor4D, geometry);
  }
  // In a volume, patches of its slices, and then patches of these along the depth.
  const [samples, depth, height, width, channels] = x.shape as number[];
  const inSlice: Geometry = {
    kernelSize: geometry.kernelSize.slice(1),
    strides: geometry.strides.slice(1),
    dilation: geometry.dilation.slice(1),
    padding: geometry.padding,
  };
  const slices = imagePatches(tf.reshape(x, [samples * depth, height, width, channels]), inSlice);
  const [, inner, taps] = slices.shape;
  const { positions, before, behind } = slideAlong(0, depth, geometry);
  const padded = padAxes(tf.reshape(slices, [samples, depth, inner, taps]), [[before, behind]]);
  const stride = geometry.strides[0];
  const deep = Array.from({ length: geometry.kernelSize[0] }, (_, i) => {
    const begin: Shape4 = [0, i * geometry.dilation[0], 0, 0];
    const size: Shape4 = [samples, (positions - 1) * stride + 1, inner, taps];
    return tf.reshape(stridedTap(padded, begin, size, [1, stride, 1, 1]), [samples, positions * inner, taps]);
  });
  return tf.concat(deep, 2) as tf.Tensor3D;
}

/** The same as `patches`, made in the layout that a norm asks for. */
export function patchInputs(x: tf.Tensor, geometry: Geometry): KernelInputs {
  if (x.rank !== 4) {
    return kernelInputsOf(patches(x, geometry));
  }
  const image = x as tf.Tensor4D;
  const [samples, height, width, channels] = image.shape;
  const positions = slideAlong(0, height, geometry).positions * slideAlong(1, width, geometry).positions;
  return {
    samples,
    positions,
    fanIn: geometry.kernelSize.reduce((product, size) => product * size, channels),
    byPosition: () => imagePatches(image, geometry),
    byFeature: () => imageFeatures(image, geometry),
  };
}

/**
 * What each row of taps sees, channel by channel and tap by tap: [N, H, W, C] -> [N, C w, ...positions] each. The taps of a row are cut
 * out first, along the width, where a position is a small piece of memory; then each row of taps in one piece.
 */
function imageFeatures(x: tf.Tensor4D, geometry: Geometry): tf.Tensor4D[] {
  const { kernelSize, strides, dilation } = geometry;
  const [samples, height, width, channels] = x.shape;
  const rows = slideAlong(0, height, geometry);
  const columns = slideAlong(1, width, geometry);
  const planes: tf.Tensor4D =
    channels === 1 ? tf.reshape(x, [samples, 1, height, width]) : tf.transpose(x, [0, 3, 1, 2]);
  const padded = padAxes(planes, [
    [0, 0],
    [rows.before, rows.behind],
    [columns.before, columns.behind],
  ]);
  const tall = padded.shape[2];
  const extent = [rows, columns].map((slide, axis) => (slide.positions - 1) * strides[axis] + 1);
  const across = Array.from({ length: kernelSize[1] }, (_, j) => {
    const begin: Shape4 = [0, 0, 0, j * dilation[1]];
    return stridedTap(padded, begin, [samples, channels, tall, extent[1]], [1, 1, 1, strides[1]]);
  });
  const features = channels * kernelSize[1];
  const joined = across.length === 1 ? across[0] : tf.concat(across, 1);
  return Array.from({ length: kernelSize[0] }, (_, i) => {
    const begin: Shape4 = [0, 0, i * dilation[0], 0];
    return stridedTap(joined, begin, [samples, features, extent[0], columns.positions], [1, 1, strides[0], 1]);
  });
}

/** An image with the zeros around it that its windows reach into. */
export function padForWindows(x: tf.Tensor4D, geometry: Geometry): tf.Tensor4D {
  const [rows, columns] = [slideAlong(0, x.shape[1], geometry), slideAlong(1, x.shape[2], geometry)];
  return padAxes(x, [
    [rows.before, rows.behind],
    [columns.before, columns.behind],
  ]);
}

/** [N, H, W, C] -> [N, P, h w C]: the taps of a row of the kernel side by side first, then its rows. */
function imagePatches(x: tf.Tensor4D, geometry: Geometry): tf.Tensor3D {
  const { kernelSize, strides, dilation } = geometry;
  const [samples, height, width, channels] = x.shape;
  const rows = slideAlong(0, height, geometry);
  const columns = slideAlong(1, width, geometry);
  const positions = rows.positions * columns.positions;
  if ([...kernelSize, ...strides].every((size) => size === 1)) {
    return tf.reshape(x, [samples, positions, channels]);
  }
  const atOnce = windowsAtOnce(x, {
    size: kernelSize as [number, number],
    strides: strides as [number, number],
    dilation: dilation as [number, number],
    before: [rows.before, columns.before],
    positions: [rows.positions, columns.positions],
  });
  if (atOnce) {
    return atOnce;
  }
  const padded = padAxes(x, [
    [rows.before, rows.behind],
    [columns.before, columns.behind],
  ]);
  const tall = padded.shape[1];
  const extent = [rows, columns].map((slide, axis) => (slide.positions - 1) * strides[axis] + 1);
  const across = Array.from({ length: kernelSize[1] }, (_, j) => {
    const begin: Shape4 = [0, 0, j * dilation[1], 0];
    return stridedTap(padded, begin, [samples, tall, extent[1], channels], [1, 1, strides[1], 1]);
  });
  const joined = across.length === 1 ? across[0] : tf.concat(across, 3);
  const seen = kernelSize[1] * channels;
  const down = Array.from({ length: kernelSize[0] }, (_, i) => {
    const begin: Shape4 = [0, i * dilation[0], 0, 0];
    return stridedTap(joined, begin, [samples, extent[0], columns.positions, seen], [1, strides[0], 1, 1]);
  });
  return tf.reshape(down.length === 1 ? down[0] : tf.concat(down, 3), [samples, positions, -1]);
}

/** Zeros around the axes that follow the batch axis, one pair an axis. */
function padAxes(x: tf.Tensor4D, pairs: readonly [number, number][]): tf.Tensor4D {
  if (pairs.flat().every((size) => size === 0)) {
    return x;
  }
  const behind = Array.from({ length: 3 - pairs.length }, (): [number, number] => [0, 0]);
  return pad(x, [[0, 0], ...pairs, ...behind]);
}

function stridedTap(x: tf.Tensor4D, begin: Shape4, size: Shape4, strides: Shape4): tf.Tensor4D {
  if (strides.every((stride) => stride === 1)) {
    return cut(x, begin, size);
  }
  const end = begin.map((b, axis) => b + size[axis]) as Shape4;
  return stridedSlice(x, begin, end, strides);
}
