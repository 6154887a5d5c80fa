import * as tf from '@tensorflow/tfjs-core';
import { constantForGradients } from '../tfjs/gradient-tape.js';
import { oneHot } from '../tfjs/mended-operations.js';
import {
  givenColumns,
  givenDiagonal,
  type RowColumns,
  sigmoidColumns,
  softmaxColumns,
  sphereColumns,
} from './row-columns.js';

/*
 * The columns of output Hessians, whatever the loss: of a softmax, of a diagonal, of the sphere.
 */

/** Draws -1 or 1 with equal probability, independently, in the shape asked for. */
export type DrawSigns = (shape: readonly number[]) => tf.Tensor;

/** A factor C of an output Hessian A = C C^T, column by column, for one sample at a time. */
export interface Factor {
  /** Number of columns R for K outputs. */
  columns(outputs: number): number;
  /**
   * Columns `begin`, ..., `begin + count - 1` for each sample.
   *
   * @param z [N, K].
   * @param exponents what `exponents` gave of these rows, [N, 1]: the columns come divided by these powers of two.
   * @param labels [N, K], here and below.
   * @returns [count, N, K].
   */
  factor(z: tf.Tensor2D, begin: number, count: number, exponents?: tf.Tensor2D, labels?: tf.Tensor2D): tf.Tensor3D;
  /**
   * One column for each sample.
   *
   * @param z [N, K].
   * @param columns index of the column for each sample, [N], int32.
   * @param exponents as for `factor`.
   * @returns [N, K].
   */
  columnOfEach(z: tf.Tensor2D, columns: tf.Tensor1D, exponents?: tf.Tensor2D, labels?: tf.Tensor2D): tf.Tensor2D;
  /**
   * e of each row, whole numbers, where the largest of its columns is about 2^e: where the network is very sure, that leaves the
   * range of float32. Absent where columns do not.
   *
   * @param z [N, K].
   * @returns [N, 1].
   */
  exponents?(z: tf.Tensor2D): tf.Tensor2D;
  /**
   * sum_r s_{n,r} c_{n,r} over all columns. With independent random signs it stands for all columns at once: its outer product
   * with itself is A on average.
   *
   * @param z [N, K].
   * @param signs draws s: -1 or 1 each, in the shape asked for.
   * @returns [N, K].
   */
  combination(z: tf.Tensor2D, signs: DrawSigns, labels?: tf.Tensor2D): tf.Tensor2D;
  /** The columns of one row in plain numbers. */
  readonly ofRow: RowColumns;
  /** What `ofRow` needs of each row, [N, ...]. Absent: z. */
  numbers?(z: tf.Tensor2D, labels?: tf.Tensor2D): tf.Tensor;
  /**
   * About the trace of A, to a factor of 2, where it counts.
   *
   * @param z [N, K].
   * @returns [N, 1], above 0 unless it may vanish; or a number that is that of every row.
   */
  curvature(z: tf.Tensor2D, labels?: tf.Tensor2D): tf.Tensor2D | number;
}

/** Columns of some rows of outputs z, [N, K], by coefficients for the outputs that they belong to. */
interface ColumnMaker {
  /** Sums columns: coefficients are broadcast against z with its last axis. */
  combine(coefficients: tf.Tensor): tf.Tensor;
  /** Columns by their indices, [..., N] or what broadcasts to it: the columns in a last axis of their own. */
  chosen(index: tf.Tensor): tf.Tensor;
  /** The coefficients of those outputs that have a column, 0 for the others. */
  kept(coefficients: tf.Tensor): tf.Tensor;
}

/** The ways of choosing columns. */
function choosing(
  columnsOf: (z: tf.Tensor2D, exponents?: tf.Tensor2D, labels?: tf.Tensor2D) => ColumnMaker,
): Pick<Factor, 'factor' | 'columnOfEach' | 'combination'> {
  return {
    factor(z, begin, count, exponents, labels) {
      const index = Int32Array.from({ length: count }, (_, i) => begin + i);
      return columnsOf(z, exponents, labels).chosen(tf.tensor2d(index, [count, 1])) as tf.Tensor3D;
    },
    columnOfEach: (z, columns, exponents, labels) => columnsOf(z, exponents, labels).chosen(columns) as tf.Tensor2D,
    combination(z, signs, labels) {
      const { combine, kept } = columnsOf(z, undefined, labels);
      return combine(kept(signs(z.shape))) as tf.Tensor2D;
    },
  };
}

/** One-hot rows as booleans, for any number of classes (tf.oneHot wants two or more): [..., 1] -> [..., outputs]. */
export function isClass(classes: tf.Tensor, outputs: number): tf.Tensor {
  return tf.equal(classes, tf.range(0, outputs, 1, 'int32'));
}

/** The class m of each sample, [N]. Which one it is does not change A, so gradients take it for a constant. */
function largestClass(z: tf.Tensor2D): tf.Tensor1D {
  return constantForGradients(() => tf.argMax(z, 1));
}

/** u = sqrt(softmax(z)), whose gradient in closed form is a number also where p underflows to 0. */
function rootOfSoftmax(logits: tf.Tensor2D): tf.Tensor2D {
  return tf.customGrad((...inputs) => {
    const [z, save] = inputs as [tf.Tensor2D, tf.GradSaveFunc];
    const root = tf.sqrt(tf.softmax(z));
    save([root]);
    const gradFunc = (dy: tf.Tensor, [u]: tf.Tensor[]) => {
      const half = tf.mul(tf.mul(dy, u), 0.5);
      return tf.sub(half, tf.mul(tf.square(u), tf.sum(half, -1, true)));
    };
    return { value: root, gradFunc };
  })(logits) as tf.Tensor2D;
}

/** exp(log) / 2^exponent, where the exponent is about that of the largest that is looked at: others are cut at 2^100. */
function scaledExp(log: tf.Tensor, exponents: tf.Tensor2D): tf.Tensor {
  return tf.exp(tf.minimum(tf.sub(log, tf.mul(exponents, Math.LN2)), 100 * Math.LN2));
}

/** e of each row, 2^e being about the exponential of the largest of its numbers: [N, K] -> [N, 1]. */
function largestExponents(logs: tf.Tensor): tf.Tensor2D {
  return tf.floor(tf.div(tf.max(logs, 1, true), Math.LN2)) as tf.Tensor2D;
}

/** What is left to 1 of a probability that is 1 in float32, about. */
const SURE = 1e-6;

/**
 * Softmax cross-entropy, A = diag(p) - p p^T, in K - 1 columns: one for each class k other than m = argmax p, with
 *
 *     C_jk = u_j [j = k] - p_j u_k / (1 + u_m)  for j != m,     C_mk = -u_m u_k,     u = sqrt(p).
 *
 * A = diag(u) (I - u u^T) diag(u), and I - u u^T = H H^T less the column m of H, where H is the Householder reflection
 * that takes u to -e_m. Nothing cancels, also in float32 at p = 1e-25.
 */
export const softmaxFactor: Factor = {
  columns: (outputs) => outputs - 1,
  exponents(z) {
    const roots = tf.div(tf.logSoftmax(z), 2);
    const isLargest = isClass(tf.expandDims(largestClass(z), 1), z.shape[1]);
    return largestExponents(tf.where(isLargest, tf.fill(z.shape, -1e30), roots));
  },
  ...choosing((z, exponents) => {
    const largest = largestClass(z);
    const outputs = z.shape[1];
    // Column k is u_k (e_k - v), where v is u (u + e_m) less what makes its sum 1: 1 + u_m.
    const parts = () => {
      const u = rootOfSoftmax(z);
      const uneven = tf.mul(u, tf.add(u, oneHot(largest, outputs)));
      const v = tf.div(uneven, tf.sum(uneven, 1, true));
      return { v, roots: exponents ? scaledExp(tf.div(tf.logSoftmax(z), 2), exponents) : u };
    };
    return {
      combine(coefficients) {
        const { v, roots } = parts();
        const diagonal = tf.mul(coefficients, roots);
        return tf.sub(diagonal, tf.mul(tf.sum(diagonal, -1, true), v));
      },
      chosen(index) {
        const { v, roots } = parts();
        // Column r belongs to class r, or r + 1 from the largest class on.
        const classes = tf.add(index, tf.cast(tf.greaterEqual(index, largest), 'int32'));
        const isClass = oneHot(classes, outputs);
        return tf.mul(tf.sub(isClass, v), tf.sum(tf.mul(isClass, roots), -1, true));
      },
      kept(coefficients) {
        const isLargest = isClass(tf.expandDims(largest, 1), outputs);
        return tf.where(isLargest, tf.zerosLike(coefficients), coefficients);
      },
    };
  }),
  ofRow: softmaxColumns,
  // The largest of 1 - p_k, where A is at most twice that. Of samples that are surer than float32 can tell, each counts the same.
  curvature: (z) => tf.sub(1 + SURE, tf.max(tf.softmax(z), 1, true)) as tf.Tensor2D,
};

/** The diagonal of an output Hessian, [N, K], by its square root. */
interface DiagonalRoot {
  root(z: tf.Tensor2D, labels: tf.Tensor2D): tf.Tensor2D;
  /**
   * Where the root may leave the range of float32: the logarithm of a part of it, the rest of which stays there.
   *
   * @returns [N, K]; `rest` [N, K], without it 1.
   */
  logOfRoot?(z: tf.Tensor2D): tf.Tensor;
  rest?(labels: tf.Tensor2D): tf.Tensor;
}

/**
 * A diagonal output Hessian: column k is `root(z)_k e_k`.
 *
 * @param ofRow columns in plain numbers, where these can be had from z alone.
 */
export function diagonalFactor({ root, logOfRoot, rest }: DiagonalRoot, ofRow?: RowColumns): Factor {
  const given = (labels: tf.Tensor2D | undefined) => labels as tf.Tensor2D;
  const square = (z: tf.Tensor2D, labels?: tf.Tensor2D) => tf.square(root(z, given(labels)));
  const scaledRoot = (z: tf.Tensor2D, exponents?: tf.Tensor2D, labels?: tf.Tensor2D) => {
    if (!exponents || !logOfRoot) {
      return root(z, given(labels));
    }
    const scaled = scaledExp(logOfRoot(z), exponents);
    return rest ? tf.mul(scaled, rest(given(labels))) : scaled;
  };
  return {
    columns: (outputs) => outputs,
    ...(logOfRoot && { exponents: (z) => largestExponents(logOfRoot(z)) }),
    ...choosing((z, exponents, labels) => {
      const combine = (coefficients: tf.Tensor) => tf.mul(coefficients, scaledRoot(z, exponents, labels));
      return {
        combine,
        chosen: (index) => combine(tf.cast(isClass(tf.expandDims(index, -1), z.shape[1]), 'float32')),
        kept: (coefficients) => coefficients,
      };
    }),
    ...(ofRow ? { ofRow } : { ofRow: givenDiagonal, numbers: square }),
    curvature: (z, labels) => tf.sum(square(z, labels), 1, true),
  };
}

/** sqrt(p (1 - p) / divisor), which keeps its digits where p = sigmoid(z) rounds to 1. */
export function rootOfSigmoid(logits: tf.Tensor2D, divisor = 1): tf.Tensor2D {
  return tf.customGrad((...inputs) => {
    const [z, save] = inputs as [tf.Tensor2D, tf.GradSaveFunc];
    const [p, q] = [tf.sigmoid(z), tf.sigmoid(tf.neg(z))];
    const product = tf.mul(p, q);
    const root = tf.sqrt(divisor === 1 ? product : tf.div(product, divisor));
    save([root, p, q]);
    // In closed form, root (q - p) / 2: the gradient of a square root is not a number where p q underflows to 0.
    const gradFunc = (dy: tf.Tensor, [y, above, below]: tf.Tensor[]) =>
      tf.mul(dy, tf.mul(y, tf.div(tf.sub(below, above), 2)));
    return { value: root, gradFunc };
  })(logits) as tf.Tensor2D;
}

/** Its logarithm, where log(p (1 - p)) = -|z| - 2 log(1 + exp(-|z|)). */
export function logOfSigmoidRoot(z: tf.Tensor2D): tf.Tensor {
  const size = tf.abs(z);
  return tf.neg(tf.add(tf.div(size, 2), tf.log1p(tf.exp(tf.neg(size)))));
}

/**
 * Sigmoid and binary cross-entropy, averaged over the K outputs as tf.js does: A = diag(p (1 - p)) / K.
 * p (1 - p) is taken as sigmoid(z) sigmoid(-z), which keeps its digits where p rounds to 1.
 */
export const sigmoidFactor = diagonalFactor(
  {
    root: (z) => rootOfSigmoid(z, z.shape[1]),
    logOfRoot: (z) => tf.sub(logOfSigmoidRoot(z), Math.log(z.shape[1]) / 2),
  },
  sigmoidColumns,
);

/** Squared norms of z below this are taken for it, as tf.js' l2Normalize does. */
export const SMALLEST_SQUARED_NORM = 1e-7;

/**
 * The Gauss-Newton part of the negative cosine of z and a target, A = (I - u u^T) / |z|^2 with u = z / |z|, in K - 1 columns: one for
 * each k other than m = argmax |u_k|, with s the sign of u_m and
 *
 *     c_k = (e_k - u_k v) / |z|,     v = (u + s e_m) / (1 + |u_m|).
 *
 * These are the columns but m of the Householder reflection that takes u to -s e_m. Below |z|^2 = 1e-7 tf.js divides by a constant,
 * and A is 0.
 */
export const sphereFactor: Factor = {
  columns: (outputs) => outputs - 1,
  ...choosing((z) => {
    const outputs = z.shape[1];
    const [largest, s, isLong] = largestOnSphere(z);
    const squares = tf.maximum(tf.sum(tf.square(z), 1, true), SMALLEST_SQUARED_NORM);
    const inverse = tf.div(isLong, tf.sqrt(squares));
    const u = tf.div(z, tf.sqrt(squares));
    const signed = tf.mul(s, oneHot(largest, outputs));
    const v = tf.div(tf.add(u, signed), tf.add(1, tf.sum(tf.mul(u, signed), 1, true)));
    const columns = (coefficients: tf.Tensor) =>
      tf.mul(inverse, tf.sub(coefficients, tf.mul(tf.sum(tf.mul(coefficients, u), -1, true), v)));
    return {
      combine: columns,
      // Column k belongs to output k, or k + 1 from the largest on.
      chosen: (index) => columns(oneHot(tf.add(index, tf.cast(tf.greaterEqual(index, largest), 'int32')), outputs)),
      kept: (coefficients) =>
        tf.where(isClass(tf.expandDims(largest, 1), outputs), tf.zerosLike(coefficients), coefficients),
    };
  }),
  ofRow: sphereColumns,
  curvature(z) {
    const squares = tf.sum(tf.square(z), 1, true);
    const isLong = tf.cast(tf.greater(squares, SMALLEST_SQUARED_NORM), 'float32');
    return tf.div(tf.mul(isLong, z.shape[1] - 1), tf.maximum(squares, SMALLEST_SQUARED_NORM)) as tf.Tensor2D;
  },
};

/** Of each row, m, [N], and s, [N, 1]; and whether it is long enough to have a direction, [N, 1]. Gradients take them for constants. */
function largestOnSphere(z: tf.Tensor2D): [tf.Tensor1D, tf.Tensor2D, tf.Tensor2D] {
  const largest = constantForGradients(() => tf.argMax(tf.abs(z), 1) as tf.Tensor1D);
  const s = constantForGradients(() => {
    const ofLargest = tf.sum(tf.mul(z, oneHot(largest, z.shape[1])), 1, true);
    return tf.sub(tf.mul(2, tf.cast(tf.greaterEqual(ofLargest, 0), 'float32')), 1) as tf.Tensor2D;
  });
  const isLong = constantForGradients(
    () => tf.cast(tf.greater(tf.sum(tf.square(z), 1, true), SMALLEST_SQUARED_NORM), 'float32') as tf.Tensor2D,
  );
  return [largest, s, isLong];
}

/** A loss without curvature has no columns. */
export const flatFactor: Factor = {
  columns: () => 0,
  factor: (z) => tf.zeros([0, ...z.shape]),
  columnOfEach: (z) => tf.zerosLike(z),
  combination: (z) => tf.zerosLike(z),
  ofRow: givenColumns,
  curvature: () => 0,
};
