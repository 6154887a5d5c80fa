import * as tf from '@tensorflow/tfjs-core';
import { backendName, isGpu, isNative } from './backend.js';
import { nativeOperation, nativeReduction } from './native-operation.js';

/*
 * Operations as tf.js has them, where a backend or a gradient of theirs is wrong or missing.
 */

/**
 * One-hot rows for two classes or more, as numbers: [...] -> [..., classes]. wasm's OneHot ignores the type asked for; the native
 * one does not, and a launch less is what counts there.
 */
export function oneHot(indices: tf.Tensor, classes: number): tf.Tensor {
  return isNative() ? tf.oneHot(indices, classes, 1, 0, 'float32') : tf.cast(tf.oneHot(indices, classes), 'float32');
}

/**
 * 1 where y > 0 and 0 where y = 0, for y >= 0. wasm's Sign takes what is below 1e-7 for 0, and is ten times as slow as its Step;
 * native, Step is slow.
 */
export function isAboveZero(y: tf.Tensor): tf.Tensor {
  return isNative() ? tf.sign(y) : tf.step(y);
}

/** `tf.reshape`, which is an operation like others on the native backend: x itself where it has the shape already. */
export function withShape<T extends tf.Tensor>(x: tf.Tensor, shape: readonly number[]): T {
  const isSame = x.rank === shape.length && x.shape.every((size, axis) => size === shape[axis]);
  return (isSame ? x : tf.reshape(x, [...shape])) as T;
}

/** `tf.mean` of floats, which tf.js casts to floats once more on the native backend. It has no gradient. */
export function meanOf(x: tf.Tensor, axes?: number | number[], keepDims = false): tf.Tensor {
  if (!isNative()) {
    return tf.mean(x, axes, keepDims);
  }
  return nativeReduction('Mean', x, tf.util.parseAxisParam(axes as number | number[], x.shape), keepDims);
}

/** x where y > 0, and 0 where y = 0, for y >= 0; where x has one number for many of y, it is repeated. It has no gradient. */
export function whereAboveZero(x: tf.Tensor, y: tf.Tensor): tf.Tensor {
  if (!isNative() || x.size !== y.size) {
    return tf.mul(x, isAboveZero(y));
  }
  return nativeOperation('ReluGrad', [x, y]);
}

/**
 * Every pixel repeated over a window: [B, h, w, C] -> [B, h size[0], w size[1], C]. Its gradient is a sum over the window; tf.js' own
 * of resizeNearestNeighbor is wrong on the cpu backend for more than one image.
 */
export function repeatPixels(x: tf.Tensor4D, size: [number, number]): tf.Tensor4D {
  return tf.customGrad((...inputs) => {
    const pixels = inputs[0] as tf.Tensor4D;
    const [, h, w] = pixels.shape;
    return {
      value: tf.image.resizeNearestNeighbor(pixels, [h * size[0], w * size[1]]),
      gradFunc: (dy: tf.Tensor) => tf.mul(tf.avgPool(dy as tf.Tensor4D, size, size, 'valid'), size[0] * size[1]),
    };
  })(x) as tf.Tensor4D;
}

/** Zeros between the entries of one axis, so that they stand `step` apart: n entries become (n - 1) step + 1. */
export function spreadAxis(x: tf.Tensor, axis: number, step: number): tf.Tensor {
  if (step === 1) {
    return x;
  }
  const size = x.shape[axis];
  const outer = x.shape.slice(0, axis);
  const inner = x.shape.slice(axis + 1);
  const rows = outer.reduce((product, d) => product * d, 1);
  const zeros: [number, number][] = [
    [0, 0],
    [0, step - 1],
    [0, 0],
  ];
  const padded = tf.pad(tf.reshape(x, [rows * size, 1, -1]), zeros);
  const spread: tf.Tensor3D = tf.reshape(padded, [rows, size * step, -1]);
  const length = (size - 1) * step + 1;
  return tf.reshape(tf.slice(spread, [0, 0, 0], [rows, length, spread.shape[2]]), [...outer, length, ...inner]);
}

/** `tf.stridedSlice` with a gradient, which tf.js has not: zeros between the entries, and around them. */
export function stridedSlice<T extends tf.Tensor>(
  x: T,
  begin: readonly number[],
  end: readonly number[],
  strides: readonly number[],
): T {
  return tf.customGrad((...inputs) => ({
    value: tf.stridedSlice(inputs[0] as T, [...begin], [...end], [...strides]),
    gradFunc: (dy: tf.Tensor) => {
      const spread = strides.reduce((all, stride, axis) => spreadAxis(all, axis, stride), dy);
      return tf.pad(
        spread,
        begin.map((before, axis): [number, number] => [before, x.shape[axis] - before - spread.shape[axis]]),
      );
    },
  }))(x) as T;
}

/*
 * wasm moves what stands together along the last axis in one piece, and takes ten times as long where that is a few channels: axes that
 * stay whole join the one before them there. The cpu backend moves number by number, each with arrays of its own for the place.
 */

/** `tf.slice` with every size said, where most axes stay whole. */
export function cut<T extends tf.Tensor>(x: T, begin: readonly number[], size: readonly number[]): T {
  tf.util.assert(
    x.shape.every((all, axis) => begin[axis] >= 0 && size[axis] >= 0 && begin[axis] + size[axis] <= all),
    () => `cut: [${begin}] and [${size}] are no part of [${x.shape}].`,
  );
  const backend = backendName();
  if (backend !== 'wasm' && backend !== 'cpu') {
    return tf.slice(x, [...begin], [...size]);
  }
  const joined = joinWholeAxes(x.shape, (axis) => size[axis] === x.shape[axis]);
  const first = joined.map(({ axis, inner }) => begin[axis] * inner);
  const length = joined.map(({ axis, inner }) => size[axis] * inner);
  // What stands together as a whole is not copied there. A gradient takes operations that tf.js knows.
  const isCopied = backend === 'cpu' && joined.length > 1 && tf.engine().state.gradientDepth === 0;
  return isCopied
    ? copied(x, joined, first, length, size)
    : (tf.reshape(tf.slice(joinAxes(x, joined), first, length), [...size]) as T);
}

/** Reads the numbers from where the cpu backend has them, run by run. */
function copied<T extends tf.Tensor>(
  x: T,
  joined: readonly JoinedAxes[],
  first: readonly number[],
  length: readonly number[],
  size: readonly number[],
): T {
  const values = x.dataSync();
  const found = tf.util.getTypedArrayFromDType(
    x.dtype as 'float32' | 'int32' | 'bool',
    tf.util.sizeFromShape([...size]),
  );
  const strides = tf.util.computeStrides(joined.map(({ axis, inner }) => x.shape[axis] * inner));
  const last = joined.length - 1;
  let place = 0;
  const copy = (axis: number, from: number) => {
    if (axis === last) {
      for (let i = from + first[last]; i < from + first[last] + length[last]; i++) {
        found[place++] = values[i];
      }
      return;
    }
    for (let i = first[axis]; i < first[axis] + length[axis]; i++) {
      copy(axis + 1, from + i * strides[axis]);
    }
  };
  copy(0, 0);
  return tf.tensor(found, [...size], x.dtype) as T;
}

/** `tf.split` along an axis, which is counted from the first, into parts so many places long. */
export function parts(x: tf.Tensor, lengths: readonly number[], axis: number): tf.Tensor[] {
  if (backendName() !== 'cpu') {
    return tf.split(x, [...lengths], axis);
  }
  tf.util.assert(
    lengths.reduce((sum, length) => sum + length, 0) === x.shape[axis],
    () => `parts: [${lengths}] are not the axis ${axis} of [${x.shape}].`,
  );
  let end = 0;
  return lengths.map((length) => {
    const begin = x.shape.map((_, i) => (i === axis ? end : 0));
    end += length;
    return cut(
      x,
      begin,
      x.shape.map((all, i) => (i === axis ? length : all)),
    );
  });
}

/** `tf.unstack` along an axis, which is counted from the first. To be called in a `tidy`: it makes other tensors on its way. */
export function places(x: tf.Tensor, axis: number): tf.Tensor[] {
  if (backendName() !== 'cpu') {
    return tf.unstack(x, axis);
  }
  const shape = x.shape.filter((_, i) => i !== axis);
  return parts(
    x,
    Array.from({ length: x.shape[axis] }, () => 1),
    axis,
  ).map((each) => tf.reshape(each, shape));
}

/** `tf.pad`, where most axes stay as they are. */
export function pad<T extends tf.Tensor>(x: T, zeros: readonly [number, number][], value = 0): T {
  if (backendName() !== 'wasm') {
    return tf.pad(x, [...zeros], value);
  }
  const joined = joinWholeAxes(x.shape, (axis) => zeros[axis][0] + zeros[axis][1] === 0);
  const around = joined.map(({ axis, inner }): [number, number] => [zeros[axis][0] * inner, zeros[axis][1] * inner]);
  const shape = x.shape.map((length, axis) => length + zeros[axis][0] + zeros[axis][1]);
  return tf.reshape(tf.pad(joinAxes(x, joined), around, value), shape) as T;
}

/** An axis with those behind it that stay whole, `inner` entries of which stand behind each of its own. */
interface JoinedAxes {
  readonly axis: number;
  readonly inner: number;
}

function joinWholeAxes(shape: readonly number[], isWhole: (axis: number) => boolean): JoinedAxes[] {
  const joined: JoinedAxes[] = [];
  let inner = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (axis === 0 || !isWhole(axis)) {
      joined.unshift({ axis, inner });
      inner = 1;
    } else {
      inner *= shape[axis];
    }
  }
  return joined;
}

const joinAxes = (x: tf.Tensor, joined: readonly JoinedAxes[]) =>
  tf.reshape(
    x,
    joined.map(({ axis, inner }) => x.shape[axis] * inner),
  );

/**
 * Up to this size, maxima of shifted images are faster than `tf.maxPool` of windows that move by one pixel: they take a third of the time
 * on tfjs-node, and ten times as long on wasm. On a GPU the launches would count more.
 */
export const largestShifted = () => (backendName() === 'wasm' || isGpu() ? 0 : 3);
