import * as tf from '@tensorflow/tfjs-core';
import { backendName } from './backend.js';
import { pad, spreadAxis, withShape } from './mended-operations.js';
import { convolveBackByPairs, type ImageConvolution, isFasterByPairs } from './pixel-pairs.js';
import { sumOfSquaresOfLast } from './sum-of-squares.js';
import { multiplySamples, putBackByWindows, seenByWindows, type Windows } from './wasm-memory.js';

/*
 * Products in the form in which the backend is fast, found by measurement: the same product by another kernel may take ten times as
 * long. Whoever asks for a product does not ask for the backend.
 */

/** wasm multiplies plain matrices by XNNPACK, at 5 to 15 billion multiply-adds a second; all else by a plain loop, at 0.3 to 1. */
const isWasm = () => backendName() === 'wasm';

/** On wasm, turning a matrix around takes as long as multiplying this many rows with it by the loop. */
const FEW = 4;

/** a b^T, [M, K] and [N, K] -> [M, N]. */
export function timesTransposed(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  return isWasm() && a.shape[0] >= FEW ? tf.matMul(a, tf.transpose(b)) : tf.matMul(a, b, false, true);
}

/** a^T b, [K, M] and [K, N] -> [M, N]. */
export function transposedTimes(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  return isWasm() && b.shape[1] >= FEW ? tf.matMul(tf.transpose(a), b) : tf.matMul(a, b, true, false);
}

/**
 * The transpose of a convolution of images: [B, h, w, O] -> [B, H, W, I].
 *
 * @param kernel [kh, kw, I, O].
 */
export function convolveImageBack(delta: tf.Tensor4D, kernel: tf.Tensor4D, convolution: ImageConvolution): tf.Tensor4D {
  if (isWasm()) {
    return wasmConvolveBack(delta, kernel, convolution);
  }
  if (isFasterByPairs(kernel.shape, convolution)) {
    return convolveBackByPairs(delta, kernel, convolution);
  }
  const { inputShape, strides, padding } = convolution;
  return tf.conv2dTranspose(delta, kernel, inputShape, strides, padding);
}

/**
 * In the cheapest of three ways, each a third to a tenth of wasm's own kernel for it: as a convolution with the kernel turned around,
 * which multiplies the zeros around the deltas too; the same row by row of the kernel, without those above and below; as a product
 * for each tap at each position, put in its place by a loop of JavaScript.
 */
function wasmConvolveBack(
  delta: tf.Tensor4D,
  kernel: tf.Tensor4D,
  { inputShape, strides, around: [rows, columns] }: ImageConvolution,
): tf.Tensor4D {
  const [, height, width] = inputShape;
  const [batch, h, w, fanOut] = delta.shape;
  const [taps, tapsOfRow] = kernel.shape;
  // Nanoseconds for each tap and channel.
  const turning = (height * width * fanOut) / 10;
  const byRow = height === h + taps - 1 ? (h * width * fanOut) / 11 + (2 * height * width) / tapsOfRow : turning;
  const byTap = h * w * (fanOut / 12 + 3);
  if (byTap < Math.min(turning, byRow)) {
    const size = [taps, tapsOfRow] as const;
    const products = timesTransposed(tf.reshape(delta, [-1, fanOut]), tf.reshape(kernel, [-1, fanOut]));
    const before = [rows, columns].map(([zeros], axis) => size[axis] - 1 - zeros) as [number, number];
    const windows: Windows = { size, strides, dilation: [1, 1], before, positions: [h, w] };
    return putBackByWindows(tf.reshape(products, [batch, h * w, -1]), inputShape, windows);
  }
  const apart = spreadAxis(spreadAxis(delta, 1, strides[0]), 2, strides[1]) as tf.Tensor4D;
  const turned: tf.Tensor4D = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2]);
  if (turning <= byRow) {
    return tf.conv2d(apart, turned, 1, [[0, 0], rows, columns, [0, 0]]);
  }
  const parts = tf.split<tf.Tensor4D>(turned, taps).map((row, i) => {
    const part = tf.conv2d(apart, row, 1, [[0, 0], [0, 0], columns, [0, 0]]);
    return pad(part, [
      [0, 0],
      [taps - 1 - i, i],
      [0, 0],
      [0, 0],
    ]);
  });
  return tf.addN(parts) as tf.Tensor4D;
}

/** The rows a_t that a layer multiplies by its kernel, one a position t = 1..P, in the layout that a product asks for. */
export interface KernelInputs {
  readonly samples: number;
  readonly positions: number;
  /** F. */
  readonly fanIn: number;
  /** [N, P, F]. */
  byPosition(): tf.Tensor3D;
  /** [N, f, ...positions] each, to be joined along f: F in all. */
  byFeature(): tf.Tensor[];
}

/** Squared gradient norms of a kernel and of a bias that is added at every position, summed over columns, [N] each. */
export interface AffineSquaredNorms {
  readonly kernel: tf.Tensor1D;
  readonly bias: tf.Tensor1D;
}

/**
 * `AffineSquaredNorms` from the gradients themselves, G_r = sum_t a_t d_rt^T. The bias has a row of ones for a_t.
 *
 * @param delta d, [R * N, P, O], column by column.
 * @param columns R.
 */
export function normsOfGradients(inputs: KernelInputs, delta: tf.Tensor3D, columns: number): AffineSquaredNorms {
  const { samples, positions, fanIn } = inputs;
  const fanOut = delta.shape[2];
  const byColumn = (): tf.Tensor4D => tf.reshape(delta, [columns, samples, positions, fanOut]);
  if (isWasm() && paysByOne(columns * fanOut * positions * fanIn)) {
    // All columns of a sample in one product. XNNPACK copies the factor on the right, which is the smaller one.
    const width = columns * fanOut;
    const rows = inputs.byPosition();
    // Row by row first: wasm adds one number after the other, and a sum of millions would leave the small ones out.
    const squaresOf = (x: tf.Tensor): tf.Tensor1D => {
      const ofRows = tf.sum(tf.square(x), -1);
      return ofRows.rank === 1 ? (ofRows as tf.Tensor1D) : tf.sum(ofRows, 1);
    };
    if (width < fanIn) {
      const beside = columnsBeside(delta, columns);
      const gradients = multiplySamples(tf.transpose(rows, [0, 2, 1]), beside);
      return { kernel: squaresOf(gradients), bias: squaresOf(tf.sum(beside, 1)) };
    }
    const below: tf.Tensor3D = tf.reshape(tf.transpose(byColumn(), [1, 0, 3, 2]), [samples, width, positions]);
    return { kernel: squaresOf(multiplySamples(below, rows)), bias: squaresOf(tf.sum(below, 2)) };
  }
  const pieces = inputs.byFeature();
  const features = tf.concat([...pieces, tf.ones([samples, 1, ...pieces[0].shape.slice(2)])], 1);
  if (columns === 1) {
    const gradients = tf.matMul(withShape(features, [samples, fanIn + 1, positions]), delta);
    // The last feature is the bias'.
    const belongs = new Float32Array(2 * (fanIn + 1)).fill(1, 0, fanIn);
    belongs[2 * fanIn + 1] = 1;
    const ofFeatures = sumOfSquaresOfLast(gradients) as tf.Tensor2D;
    const [kernel, bias] = tf.unstack(tf.matMul(tf.tensor2d(belongs, [2, fanIn + 1]), ofFeatures, false, true));
    return { kernel, bias } as AffineSquaredNorms;
  }
  const gradients = tf.matMul(tf.reshape(features, [1, samples, fanIn + 1, positions]), byColumn());
  const ofRows = tf.sum(sumOfSquaresOfLast(gradients), 0);
  const [kernel, bias] = tf.split(ofRows, [fanIn, 1], 1).map((rows): tf.Tensor1D => tf.sum(rows, 1));
  return { kernel, bias };
}

/** The columns of each delta beside each other: [R * N, P, O], column by column -> [N, P, R * O]. */
export function columnsBeside(delta: tf.Tensor3D, columns: number): tf.Tensor3D {
  if (columns === 1) {
    return delta;
  }
  const [rows, positions, fanOut] = delta.shape;
  const byColumn = tf.reshape(delta, [columns, rows / columns, positions, fanOut]);
  return tf.reshape(tf.transpose(byColumn, [1, 2, 0, 3]), [rows / columns, positions, columns * fanOut]);
}

/** The products of the rows of each sample with each other, x x^T: [N, P, F] -> [N, P, P]. */
export function gramMatrices(x: tf.Tensor3D): tf.Tensor3D {
  const [, positions, features] = x.shape;
  return isWasm() && paysByOne(positions * positions * features)
    ? multiplySamples(x, tf.transpose(x, [0, 2, 1]))
    : tf.matMul(x, x, false, true);
}

/**
 * Whether norms come cheaper from Gram matrices over P positions, at P^2 (F + R O) multiply-adds a sample, than from gradients, at
 * F R O P. On wasm a call for each product counts too.
 *
 * @param width R O.
 */
export function isCheaperByGram(positions: number, fanIn: number, width: number): boolean {
  const grams = [fanIn, width].map((features) => positions * positions * features);
  const gradients = fanIn * width * positions;
  if (isWasm()) {
    return wasmPrice(grams[0]) + wasmPrice(grams[1]) < wasmPrice(gradients);
  }
  return grams[0] + grams[1] < gradients;
}

/** Nanoseconds of a call of wasm's kernel for matrices, and the multiply-adds in one of them, beside one in its loop over a batch. */
const [CALL_NS, CALL_SPEED] = [5000, 7];

const wasmPrice = (multiplyAdds: number) => Math.min(multiplyAdds, CALL_NS + multiplyAdds / CALL_SPEED);

/** Whether wasm multiplies samples one by one faster than all in a batch. */
const paysByOne = (multiplyAdds: number) => wasmPrice(multiplyAdds) < multiplyAdds;

/**
 * What windows see of images, [B, H, W, C] -> [B, h w, taps * C], in the order of height, width and channels, where the backend has a
 * way that is faster than cutting out tap by tap; null elsewhere.
 */
export function windowsAtOnce(x: tf.Tensor4D, windows: Windows): tf.Tensor3D | null {
  return isWasm() ? seenByWindows(x, windows) : null;
}
