import * as tf from '@tensorflow/tfjs-core';
import { constantForGradients } from '../tfjs/gradient-tape.js';
import { oneHot } from '../tfjs/mended-operations.js';
import { givenColumns, type RowColumns, sigmoidColumns, softmaxColumns, squaredErrorColumns } from './row-columns.js';

/** The losses whose output Hessian has a known factor. */
export type LossName =
  | 'categoricalCrossentropy'
  | 'sparseCategoricalCrossentropy'
  | 'binaryCrossentropy'
  | 'meanSquaredError'
  | 'softmaxCrossEntropy'
  | 'sigmoidCrossEntropy';

/** Draws -1 or 1 with equal probability, independently, in the shape asked for. */
export type DrawSigns = (shape: readonly number[]) => tf.Tensor;

/**
 * The factor C of a loss's output Hessian A = d2 l / dz2 = C C^T, column by column, for one sample at a time, whose row of labels
 * adds up to 1. Labels are not needed: A depends on them by their sum alone, if at all (`byRowSum`).
 */
export interface OutputHessian {
  /** The loss; `'factor'` for one of the user's own. */
  readonly name: LossName | 'factor';
  /** What its labels are: numbers of classes, probabilities from 0 to 1, or any finite numbers. */
  readonly labels: 'classes' | 'probabilities' | 'numbers';
  /** Whether the Hessian is rho A with rho = sum_k y_k, the sum of a row of labels, as that of softmax cross-entropy is. */
  readonly byRowSum: boolean;
  /** The last activation that the loss expects the network to end in; z is taken before it. Null: z is the output. */
  readonly activation: 'softmax' | 'sigmoid' | null;
  /** Last activations that the loss would apply a second time. */
  readonly refusedActivations?: readonly string[];
  /** Number of columns R for K outputs. */
  columns(outputs: number): number;
  /**
   * Columns `begin`, ..., `begin + count - 1` for each sample.
   *
   * @param z [N, K].
   * @param exponents what `exponents` gave of these rows, [N, 1]: the columns come divided by these powers of two.
   * @returns [count, N, K].
   */
  factor(z: tf.Tensor2D, begin: number, count: number, exponents?: tf.Tensor2D): tf.Tensor3D;
  /**
   * One column for each sample.
   *
   * @param z [N, K].
   * @param columns index of the column for each sample, [N], int32.
   * @param exponents as for `factor`.
   * @returns [N, K].
   */
  columnOfEach(z: tf.Tensor2D, columns: tf.Tensor1D, exponents?: tf.Tensor2D): tf.Tensor2D;
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
  combination(z: tf.Tensor2D, signs: DrawSigns): tf.Tensor2D;
  /** The columns of one row in plain numbers. */
  readonly ofRow: RowColumns;
  /** What `ofRow` needs of each row, [N, ...]. Absent: z. */
  numbers?(z: tf.Tensor2D): tf.Tensor;
  /**
   * About the trace of A, to a factor of 2, where it counts.
   *
   * @param z [N, K].
   * @returns [N, 1], above 0; or a number that is that of every row.
   */
  curvature(z: tf.Tensor2D): tf.Tensor2D | number;
  /**
   * Gradient of each sample's loss, d l_n / d z_n, as tf.js has the loss, but exact: tf.js' Keras losses clip probabilities to
   * [1e-7, 1 - 1e-7], which takes the gradient away from samples that are sure.
   *
   * @param z [N, K].
   * @param labels [N, K]; for sparse labels their classes, [N].
   * @returns [N, K].
   */
  gradient?(z: tf.Tensor2D, labels: tf.Tensor): tf.Tensor2D;
}

/**
 * A loss of the user's own, by a factor of its output Hessian: d2 l / dz2 = C C^T for one sample or position, with K outputs
 * and R columns. It must not depend on the labels; where the Hessian does, a factor of its expectation gives Gauss-Newton's
 * (Fisher) trace.
 */
export interface LossFactor {
  /** The last activation that belongs to the loss: z is then taken before it. Default null: z is the model's output. */
  readonly activation?: 'softmax' | 'sigmoid' | null;
  /** R, for K outputs. */
  columns(outputs: number): number;
  /**
   * C^T of every row, column by column.
   *
   * @param z [M, K]: samples, or positions of samples, as rows.
   * @returns [R, M, K].
   */
  factor(z: tf.Tensor2D): tf.Tensor3D;
  /**
   * d l / d z of every row, for `{ hutchinson: probes }` alone.
   *
   * @param z [M, K].
   * @param labels [M, K].
   * @returns [M, K].
   */
  gradient?(z: tf.Tensor2D, labels: tf.Tensor): tf.Tensor2D;
}

/** A loss by the factor of its output Hessian. @throws Error with one line where the factor has not the shape [R, M, K]. */
export function hessianOfFactor({ activation = null, columns, factor, gradient }: LossFactor): OutputHessian {
  const all = (z: tf.Tensor2D) => {
    const [rows, outputs] = z.shape;
    const found = factor(z);
    const expected = [columns(outputs), rows, outputs];
    if (found?.shape?.join() !== expected.join()) {
      throw new Error(
        `loss: factor gave [${found?.shape ?? typeof found}] for ${rows} rows of ${outputs} outputs, but [${expected}] was announced: ` +
          '[columns, rows, outputs].',
      );
    }
    return found;
  };
  return {
    name: 'factor',
    labels: 'numbers',
    byRowSum: false,
    activation,
    columns,
    ...(gradient && { gradient }),
    factor: (z, begin, count) => tf.slice(all(z), [begin, 0, 0], [count, ...z.shape]),
    columnOfEach(z, index) {
      const [rows, outputs] = z.shape;
      const places = tf.add(tf.mul(index, rows), tf.range(0, rows, 1, 'int32'));
      return tf.gather(tf.reshape(all(z), [-1, outputs]), tf.cast(places, 'int32')) as tf.Tensor2D;
    },
    combination(z, signs) {
      const found = all(z);
      return tf.sum(tf.mul(found, signs([found.shape[0], found.shape[1], 1])), 0) as tf.Tensor2D;
    },
    ofRow: givenColumns,
    numbers: (z) => tf.reshape(tf.transpose(all(z), [1, 0, 2]), [z.shape[0], -1]),
    curvature: (z) => tf.reshape(tf.sum(tf.square(all(z)), [0, 2]), [-1, 1]) as tf.Tensor2D,
  };
}

type Factor = Pick<
  OutputHessian,
  'columns' | 'factor' | 'columnOfEach' | 'combination' | 'ofRow' | 'curvature' | 'exponents'
>;

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
  columnsOf: (z: tf.Tensor2D, exponents?: tf.Tensor2D) => ColumnMaker,
): Pick<OutputHessian, 'factor' | 'columnOfEach' | 'combination'> {
  return {
    factor(z, begin, count, exponents) {
      const index = Int32Array.from({ length: count }, (_, i) => begin + i);
      return columnsOf(z, exponents).chosen(tf.tensor2d(index, [count, 1])) as tf.Tensor3D;
    },
    columnOfEach: (z, columns, exponents) => columnsOf(z, exponents).chosen(columns) as tf.Tensor2D,
    combination(z, signs) {
      const { combine, kept } = columnsOf(z);
      return combine(kept(signs(z.shape))) as tf.Tensor2D;
    },
  };
}

/** One-hot rows as booleans, for any number of classes (tf.oneHot wants two or more): [..., 1] -> [..., outputs]. */
function isClass(classes: tf.Tensor, outputs: number): tf.Tensor {
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
const softmaxFactor: Factor = {
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

/**
 * l = -sum_k y_k log p_k, gradient p sum_k y_k - y = p_k sum_{j != k} y_j - y_k sum_{j != k} p_j. The sum over the others keeps
 * its digits where p_k rounds to 1: it is taken term by term for the largest p, and as 1 - p_k for the rest.
 */
function softmaxGradient(z: tf.Tensor2D, labels: tf.Tensor): tf.Tensor2D {
  const p = tf.exp(tf.logSoftmax(z));
  const isLargest = isClass(tf.expandDims(tf.argMax(z, 1), 1), z.shape[1]);
  const ofOthers = tf.sum(tf.where(isLargest, tf.zerosLike(p), p), 1, true);
  const rest = tf.where(isLargest, tf.mul(ofOthers, tf.onesLike(p)), tf.sub(1, p));
  const labelsOfOthers = tf.sub(tf.sum(labels, 1, true), labels);
  return tf.sub(tf.mul(p, labelsOfOthers), tf.mul(labels, rest)) as tf.Tensor2D;
}

const softmax = { ...softmaxFactor, byRowSum: true, gradient: softmaxGradient };

const sparseSoftmax = {
  ...softmaxFactor,
  byRowSum: true,
  gradient: (z: tf.Tensor2D, classes: tf.Tensor) =>
    softmaxGradient(z, tf.cast(isClass(tf.expandDims(classes, 1), z.shape[1]), 'float32')),
};

/** A diagonal output Hessian: column k is `root(z)_k e_k`. */
function diagonal(
  root: (z: tf.Tensor2D) => tf.Tensor2D,
  ofRow: RowColumns,
  logOfRoot?: (z: tf.Tensor2D) => tf.Tensor,
): Factor {
  return {
    columns: (outputs) => outputs,
    ...(logOfRoot && { exponents: (z) => largestExponents(logOfRoot(z)) }),
    ...choosing((z, exponents) => {
      const combine = (coefficients: tf.Tensor) =>
        tf.mul(coefficients, exponents && logOfRoot ? scaledExp(logOfRoot(z), exponents) : root(z));
      return {
        combine,
        chosen: (index) => combine(tf.cast(isClass(tf.expandDims(index, -1), z.shape[1]), 'float32')),
        kept: (coefficients) => coefficients,
      };
    }),
    ofRow,
    curvature: (z) => tf.sum(tf.square(root(z)), 1, true),
  };
}

/**
 * Sigmoid and binary cross-entropy, averaged over the K outputs as tf.js does: A = diag(p (1 - p)) / K.
 * p (1 - p) is taken as sigmoid(z) sigmoid(-z), which keeps its digits where p rounds to 1; for the same reason the gradient,
 * (p - y) / K, is (1 - y) sigmoid(z) - y sigmoid(-z).
 */
const sigmoidFactor = diagonal(
  (logits) =>
    tf.customGrad((...inputs) => {
      const [z, save] = inputs as [tf.Tensor2D, tf.GradSaveFunc];
      const [p, q] = [tf.sigmoid(z), tf.sigmoid(tf.neg(z))];
      const root = tf.sqrt(tf.div(tf.mul(p, q), z.shape[1]));
      save([root, p, q]);
      // In closed form, root (q - p) / 2: the gradient of a square root is not a number where p q underflows to 0.
      const gradFunc = (dy: tf.Tensor, [y, above, below]: tf.Tensor[]) =>
        tf.mul(dy, tf.mul(y, tf.div(tf.sub(below, above), 2)));
      return { value: root, gradFunc };
    })(logits) as tf.Tensor2D,
  sigmoidColumns,
  // log(p q / K) / 2, where log(p q) = -|z| - 2 log(1 + exp(-|z|)).
  (z) => {
    const size = tf.abs(z);
    const logOfProduct = tf.neg(tf.add(size, tf.mul(2, tf.log1p(tf.exp(tf.neg(size))))));
    return tf.div(tf.sub(logOfProduct, Math.log(z.shape[1])), 2);
  },
);

const sigmoid = {
  ...sigmoidFactor,
  byRowSum: false,
  gradient(z: tf.Tensor2D, labels: tf.Tensor): tf.Tensor2D {
    const [up, down] = [tf.mul(tf.sub(1, labels), tf.sigmoid(z)), tf.mul(labels, tf.sigmoid(tf.neg(z)))];
    return tf.div(tf.sub(up, down), z.shape[1]);
  },
};

/** Mean over the K outputs of the squared error: A = (2 / K) I, gradient (2 / K) (z - y). */
const squaredError = {
  ...diagonal((z) => tf.fill(z.shape, Math.sqrt(2 / z.shape[1])), squaredErrorColumns),
  curvature: () => 2,
  byRowSum: false,
  gradient: (z: tf.Tensor2D, labels: tf.Tensor): tf.Tensor2D => tf.mul(tf.sub(z, labels), 2 / z.shape[1]),
};

/** Every loss that can be measured. A new loss is one entry here. */
export const outputHessians: Readonly<Record<LossName, OutputHessian>> = named({
  categoricalCrossentropy: { labels: 'probabilities', activation: 'softmax', ...softmax },
  sparseCategoricalCrossentropy: { labels: 'classes', activation: 'softmax', ...sparseSoftmax },
  binaryCrossentropy: { labels: 'probabilities', activation: 'sigmoid', ...sigmoid },
  meanSquaredError: { labels: 'numbers', activation: null, ...squaredError },
  softmaxCrossEntropy: {
    labels: 'probabilities',
    activation: null,
    refusedActivations: ['softmax', 'logSoftmax', 'sigmoid'],
    ...softmax,
  },
  sigmoidCrossEntropy: {
    labels: 'probabilities',
    activation: null,
    refusedActivations: ['sigmoid', 'softmax', 'logSoftmax'],
    ...sigmoid,
  },
});

function named(table: Readonly<Record<LossName, Omit<OutputHessian, 'name'>>>): Record<LossName, OutputHessian> {
  const entries = Object.entries(table).map(([name, hessian]) => [name, { name, ...hessian }]);
  return Object.fromEntries(entries) as Record<LossName, OutputHessian>;
}
