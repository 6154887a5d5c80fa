import * as tf from '@tensorflow/tfjs-core';
import type { CallWithDelta, Operation, OuterProducts } from '../../network/layers/operation.js';
import { timesTransposed } from '../../tfjs/products.js';

/** The part of the memory budget that products may take beside what they are made of. */
const SHARE_OF_BUDGET = 1 / 8;

/**
 * Scalar products of gradients: for each trained weight tensor of an operation K_ij = <G_i, G_j> between all rows, the gradients of all
 * calls added up before.
 *
 * @param calls with one column a sample.
 * @returns [N, N] each.
 */
export function gramsOfOperation(
  operation: Operation,
  calls: readonly CallWithDelta[],
  budgetBytes: number,
): tf.Tensor2D[] {
  const products = operation.outerProducts?.(calls);
  return products
    ? products.flatMap((ofWeight) => (ofWeight ? [gramOfProducts(ofWeight, budgetBytes)] : []))
    : gramsFromNorms(operation, calls);
}

/** K_ij of gradients G_n = sum_t a_nt d_nt^T, the sum over their parts. */
export function gramOfProducts(parts: readonly OuterProducts[], budgetBytes: number): tf.Tensor2D {
  const grams = parts.map((part) => tf.tidy(() => gramOfPart(part, SHARE_OF_BUDGET * budgetBytes)));
  return grams.length === 1 ? grams[0] : (tf.addN(grams) as tf.Tensor2D);
}

/**
 * At one position K_ij = <a_i, a_j> <d_i, d_j>. At several, from the gradients themselves, at N P F O + N^2 F O multiply-adds, or from
 * products between all positions, sum_{t,t'} <a_it, a_jt'> <d_it, d_jt'>, at (N P)^2 (F + O): what is cheaper.
 */
function gramOfPart({ inputs, deltas }: OuterProducts, bytes: number): tf.Tensor2D {
  const [rows, positions, width] = deltas.shape;
  if (!inputs) {
    return gram(positions === 1 ? tf.reshape(deltas, [rows, width]) : tf.sum(deltas, 1));
  }
  if ('tokens' in inputs) {
    const tokens = tf.reshape(inputs.tokens, [rows, positions]);
    return gramByPositions(deltas, bytes, (begin, count) =>
      tf.cast(
        tf.equal(
          tf.reshape(tokens, [rows * positions, 1]),
          tf.reshape(tf.slice(tokens, begin, count), [1, count * positions]),
        ),
        'float32',
      ),
    );
  }
  const fanIn = inputs.shape[2];
  if (positions === 1) {
    return tf.mul(gram(tf.reshape(inputs, [rows, fanIn])), gram(tf.reshape(deltas, [rows, width])));
  }
  const elements = fanIn * width;
  if ((rows * positions) ** 2 * (fanIn + width) < rows * (positions + rows) * elements) {
    const flat: tf.Tensor2D = tf.reshape(inputs, [-1, fanIn]);
    return gramByPositions(deltas, bytes, (begin, count) =>
      timesTransposed(flat, tf.reshape(tf.slice(inputs, begin, count), [-1, fanIn])),
    );
  }
  // Twice: the product may turn its second factor around.
  const channels = Math.max(1, Math.floor(bytes / (8 * rows * fanIn)));
  let sum: tf.Tensor2D | undefined;
  for (let begin = 0; begin < width; begin += channels) {
    const earlier: tf.Tensor2D | undefined = sum;
    sum = tf.tidy(() => {
      const slice = tf.slice(deltas, [0, 0, begin], [rows, positions, Math.min(channels, width - begin)]);
      const found = gram(tf.reshape(tf.matMul(inputs, slice, true, false), [rows, -1]));
      return earlier ? tf.add(earlier, found) : found;
    });
    earlier?.dispose();
  }
  return sum as tf.Tensor2D;
}

/**
 * sum_{t,t'} A_(it)(jt') <d_it, d_jt'>, a few rows j at a time.
 *
 * @param productsOf A between all positions of all rows and those of some: [N P, count P].
 */
function gramByPositions(
  deltas: tf.Tensor3D,
  bytes: number,
  productsOf: (begin: number, count: number) => tf.Tensor,
): tf.Tensor2D {
  const [rows, positions, width] = deltas.shape;
  const flat: tf.Tensor2D = tf.reshape(deltas, [rows * positions, width]);
  const atOnce = Math.max(1, Math.floor(bytes / (16 * rows * positions * positions)));
  const pieces: tf.Tensor2D[] = [];
  for (let begin = 0; begin < rows; begin += atOnce) {
    const count = Math.min(atOnce, rows - begin);
    pieces.push(
      tf.tidy(() => {
        const ofDeltas = timesTransposed(flat, tf.reshape(tf.slice(deltas, begin, count), [-1, width]));
        const product = tf.mul(productsOf(begin, count), ofDeltas);
        return tf.sum(tf.reshape(product, [rows, positions, count, positions]), [1, 3]) as tf.Tensor2D;
      }),
    );
  }
  return pieces.length === 1 ? pieces[0] : tf.concat2d(pieces, 1);
}

const gram = (x: tf.Tensor): tf.Tensor2D => timesTransposed(x as tf.Tensor2D, x as tf.Tensor2D);

/**
 * From squared norms of sums, for operations that say no more: two rows are taken for two calls of one row, whose gradients
 * add up, and <G_i, G_j> = (||G_i + G_j||^2 - ||G_i||^2 - ||G_j||^2) / 2. Row i meets row i + s, for s = 1, ..., N / 2.
 */
function gramsFromNorms(operation: Operation, calls: readonly CallWithDelta[]): tf.Tensor2D[] {
  const rows = calls[0].delta.shape[0];
  const normsOf = (all: readonly CallWithDelta[]) =>
    tf.tidy(() =>
      tf.stack((operation.squaredNorms?.(all, 1) ?? []).filter((norm): norm is tf.Tensor => norm !== null)),
    ) as tf.Tensor2D;
  const own = normsOf(calls);
  const byShift: tf.Tensor2D[] = [own];
  for (let shift = 1; shift <= rows / 2; shift++) {
    byShift.push(
      tf.tidy(() => {
        const shifted = (x: tf.Tensor) => shiftedRows(x, rows, shift);
        const partners = calls.map((call) => ({
          ...call,
          saved: call.saved.map(shifted),
          delta: shifted(call.delta),
          ...(call.mask && { mask: shifted(call.mask) }),
        }));
        const norms = tf.add(own, tf.transpose(shifted(tf.transpose(own))));
        return tf.div(tf.sub(normsOf([...calls, ...partners]), norms), 2) as tf.Tensor2D;
      }),
    );
  }
  const places = Array.from({ length: rows * rows }, (_, place) => {
    const [i, j] = [Math.floor(place / rows), place % rows];
    const shift = (j - i + rows) % rows;
    return shift < byShift.length ? shift * rows + i : (rows - shift) * rows + j;
  });
  const index = tf.tensor1d(places, 'int32');
  return tf
    .unstack(tf.stack(byShift, 1))
    .map((ofWeight): tf.Tensor2D => tf.reshape(tf.gather(tf.reshape(ofWeight, [-1]), index), [rows, rows]));
}

/** Row i + s in place of row i, round and round. A sample may have several rows; what has none of its own stays. */
function shiftedRows(x: tf.Tensor, samples: number, shift: number): tf.Tensor {
  const [rows = 0] = x.shape;
  if (rows === 0 || rows % samples !== 0) {
    return x;
  }
  const first = (shift * rows) / samples;
  return tf.concat([tf.slice(x, first, rows - first), tf.slice(x, 0, first)]);
}
