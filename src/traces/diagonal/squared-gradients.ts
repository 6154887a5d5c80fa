import * as tf from '@tensorflow/tfjs-core';
import type { CallWithDelta, Operation, OuterProducts } from '../../network/layers/operation.js';
import { transposedTimes } from '../../tfjs/products.js';
import { ownCall } from '../hutchinson/weight-gradients.js';

/** The part of the memory budget that the gradients of several samples may take at once. */
const SHARE_OF_BUDGET = 1 / 8;

/**
 * Squares of gradients, element by element, summed over the samples: for each trained weight tensor of an operation
 *
 *     sum_n G_n^2,   G_n = sum_t a_nt d_nt^T,
 *
 * the gradients of all calls added up before.
 *
 * @param calls with one column a sample, of a graph that remembers inputs (`rememberInputs`).
 * @returns one tensor each, with the elements of the weight tensor in their order.
 */
export function squaredGradients(
  operation: Operation,
  calls: readonly CallWithDelta[],
  budgetBytes: number,
): tf.Tensor1D[] {
  const products = operation.outerProducts?.(calls.map(ownCall));
  return products
    ? products.flatMap((ofWeight, place) => {
        const [rows = 1] = operation.parameters[place].variable.read().shape;
        return ofWeight ? [squaresOfProducts(ofWeight, rows, budgetBytes)] : [];
      })
    : squaresOneByOne(operation, calls);
}

/**
 * The same from what gradients are made of. Several parts are columns of the weight matrix, side by side.
 *
 * @param rows of a table that tokens choose from.
 */
export function squaresOfProducts(parts: readonly OuterProducts[], rows: number, budgetBytes: number): tf.Tensor1D {
  const squares = parts.map((part) => tf.tidy(() => squaresOfPart(part, rows, SHARE_OF_BUDGET * budgetBytes)));
  return tf.tidy(() => tf.reshape<tf.Rank.R1>(squares.length === 1 ? squares[0] : tf.concat2d(squares, 1), [-1]));
}

/** At one position (a d^T)^2 = a^2 (d^2)^T, one product for all samples; at several, from the gradient of every sample. [F, O]. */
function squaresOfPart({ inputs, deltas }: OuterProducts, tableRows: number, bytes: number): tf.Tensor2D {
  const [samples, positions, width] = deltas.shape;
  if (!inputs) {
    const gradients = positions === 1 ? deltas : tf.sum(deltas, 1);
    return tf.reshape(tf.sum(tf.square(tf.reshape(gradients, [samples, width])), 0), [1, width]);
  }
  if ('tokens' in inputs) {
    return squaresOfRows(tf.reshape(inputs.tokens, [samples, positions]), deltas, tableRows, bytes);
  }
  const fanIn = inputs.shape[2];
  if (positions === 1) {
    const rows = (x: tf.Tensor): tf.Tensor2D => tf.reshape(tf.square(x), [samples, -1]);
    return transposedTimes(rows(inputs), rows(deltas));
  }
  // Gradients, their squares, and the copies that a product may make of its factors.
  const ofSample = 8 * (fanIn * width + positions * (fanIn + width));
  return overSamples(samples, Math.max(1, Math.floor(bytes / ofSample)), (begin, count) => {
    const [a, d] = [inputs, deltas].map((x) => tf.slice(x, begin, count)) as [tf.Tensor3D, tf.Tensor3D];
    return tf.sum(tf.square(tf.matMul(a, d, true, false)), 0) as tf.Tensor2D;
  });
}

/** Of a table: each token's row gets the deltas of all positions that it stands at, squared once they have been added up. */
function squaresOfRows(tokens: tf.Tensor2D, deltas: tf.Tensor3D, rows: number, bytes: number): tf.Tensor2D {
  const [samples, positions, width] = deltas.shape;
  const ofSample = 8 * (positions * rows + positions * positions + 2 * positions * width);
  return overSamples(samples, Math.max(1, Math.floor(bytes / ofSample)), (begin, count) => {
    const chosen = tf.cast(tf.slice(tokens, begin, count), 'int32');
    const same = tf.cast(tf.equal(tf.expandDims(chosen, 2), tf.expandDims(chosen, 1)), 'float32');
    const gradients = tf.matMul(same, tf.slice(deltas, begin, count));
    // As many positions have the same sum as have the same token.
    const shares = tf.div(tf.square(gradients), tf.sum(same, 2, true));
    const oneHot = tf.cast(tf.oneHot(tf.reshape<tf.Rank.R1>(chosen, [-1]), rows), 'float32') as tf.Tensor2D;
    return transposedTimes(oneHot, tf.reshape(shares, [count * positions, width]));
  });
}

/** A sum over samples, so many at a time. */
function overSamples(
  samples: number,
  atOnce: number,
  sumOf: (begin: number, count: number) => tf.Tensor2D,
): tf.Tensor2D {
  let sum: tf.Tensor2D | undefined;
  for (let begin = 0; begin < samples; begin += atOnce) {
    const earlier: tf.Tensor2D | undefined = sum;
    sum = tf.tidy(() => {
      const found = sumOf(begin, Math.min(atOnce, samples - begin));
      return earlier ? tf.add(earlier, found) : found;
    });
    earlier?.dispose();
  }
  return sum as tf.Tensor2D;
}

/** For operations that do not say what their gradients are made of: one gradient for every sample. */
function squaresOneByOne(operation: Operation, calls: readonly CallWithDelta[]): tf.Tensor1D[] {
  const [samples] = calls[0].inputShapes[0];
  let sums: tf.Tensor1D[] = [];
  for (let n = 0; n < samples; n++) {
    const earlier = sums;
    sums = tf.tidy(() => {
      const gradients = operation.gradients?.(calls.map((call) => callOfSample(call, samples, n))) ?? [];
      return gradients
        .filter((gradient) => gradient !== null)
        .map((gradient, b): tf.Tensor1D => {
          const square: tf.Tensor1D = tf.reshape(tf.square(gradient), [-1]);
          return earlier[b] ? tf.add(earlier[b], square) : square;
        });
    });
    tf.dispose(earlier);
  }
  return sums;
}

/** One sample of a call. A sample may have several rows; what has none of its own stays. */
function callOfSample(call: CallWithDelta, samples: number, n: number): CallWithDelta {
  const ofSample = (x: tf.Tensor) => {
    const [rows = 0] = x.shape;
    const each = rows / samples;
    return rows > 0 && Number.isInteger(each) ? tf.slice(x, n * each, each) : x;
  };
  return {
    ...call,
    saved: call.saved.map(ofSample),
    inputShapes: call.inputShapes.map(([, ...shape]) => [1, ...shape]),
    delta: ofSample(call.delta),
    ...(call.mask && { mask: ofSample(call.mask) }),
  };
}
