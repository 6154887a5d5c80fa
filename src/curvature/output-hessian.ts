import * as tf from '@tensorflow/tfjs-core';

/** The losses whose output Hessian has a known factor. */
export type LossName =
  | 'categoricalCrossentropy'
  | 'sparseCategoricalCrossentropy'
  | 'binaryCrossentropy'
  | 'meanSquaredError'
  | 'softmaxCrossEntropy'
  | 'sigmoidCrossEntropy';

/**
 * The factor C of a loss's output Hessian A = d2 l / dz2 = C C^T, column by column, for one sample at a time.
 * Labels are never needed: A does not depend on them.
 */
export interface OutputHessian {
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
   * @returns [count, N, K].
   */
  factor(z: tf.Tensor2D, begin: number, count: number): tf.Tensor3D;
  /**
   * One column for each sample.
   *
   * @param z [N, K].
   * @param columns index of the column for each sample, [N], int32.
   * @returns [N, K].
   */
  columnOfEach(z: tf.Tensor2D, columns: tf.Tensor1D): tf.Tensor2D;
  /**
   * Squared norms of all columns in closed form, w_{n,r} = ||c_{n,r}||^2.
   *
   * @param z [N, K].
   * @returns [N, R].
   */
  squaredNorms(z: tf.Tensor2D): tf.Tensor2D;
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
}

/** A loss by the factor of its output Hessian. @throws Error with one line where the factor has not the shape [R, M, K]. */
export function hessianOfFactor({ activation = null, columns, factor }: LossFactor): OutputHessian {
  const all = (z: tf.Tensor2D) => {
    const [rows, outputs] = z.shape;
    const found = factor(z);
    const expected = [columns(outputs), rows, outputs];
    if (found.shape.join() !== expected.join()) {
      throw new Error(
        `loss: factor gave [${found.shape}] for ${rows} rows of ${outputs} outputs, but [${expected}] was announced: ` +
          '[columns, rows, outputs].',
      );
    }
    return found;
  };
  return {
    activation,
    columns,
    factor: (z, begin, count) => tf.slice(all(z), [begin, 0, 0], [count, ...z.shape]),
    columnOfEach(z, index) {
      const [rows, outputs] = z.shape;
      const places = tf.add(tf.mul(index, rows), tf.range(0, rows, 1, 'int32'));
      return tf.gather(tf.reshape(all(z), [-1, outputs]), tf.cast(places, 'int32')) as tf.Tensor2D;
    },
    squaredNorms: (z) => tf.transpose(tf.sum(tf.square(all(z)), 2) as tf.Tensor2D),
  };
}

type Factor = Pick<OutputHessian, 'columns' | 'factor' | 'columnOfEach' | 'squaredNorms'>;

/** The two ways of choosing columns, from a function of column indices that are broadcast against z with its last axis. */
function choosing(
  columnsAt: (z: tf.Tensor2D, index: tf.Tensor) => tf.Tensor,
): Pick<OutputHessian, 'factor' | 'columnOfEach'> {
  return {
    factor: (z, begin, count) =>
      columnsAt(z, tf.reshape(tf.range(begin, begin + count, 1, 'int32'), [count, 1, 1])) as tf.Tensor3D,
    columnOfEach: (z, columns) => columnsAt(z, tf.reshape(columns, [-1, 1])) as tf.Tensor2D,
  };
}

/** One-hot rows as booleans, for any number of classes (tf.oneHot wants two or more): [..., 1] -> [..., outputs]. */
function isClass(classes: tf.Tensor, outputs: number): tf.Tensor {
  return tf.equal(classes, tf.range(0, outputs, 1, 'int32'));
}

/**
 * Softmax cross-entropy, A = diag(p) - p p^T, in K - 1 columns: one for each class k other than m = argmax p, with
 *
 *     C_jk = u_j [j = k] - p_j u_k / (1 + u_m)  for j != m,     C_mk = -u_m u_k,     u = sqrt(p).
 *
 * A = diag(u) (I - u u^T) diag(u), and I - u u^T = H H^T less the column m of H, where H is the Householder reflection
 * that takes u to -e_m. Nothing cancels, also in float32 at p = 1e-25: u comes from the log-softmax.
 */
const softmax: Factor = {
  columns: (outputs) => outputs - 1,
  ...choosing((z, index) => {
    const outputs = z.shape[1];
    const logits = tf.logSoftmax(z);
    const u = tf.exp(tf.mul(logits, 0.5));
    const p = tf.exp(logits);
    const largest = tf.expandDims(tf.argMax(z, 1), 1);
    const isLargest = isClass(largest, outputs);
    const uLargest = tf.max(u, 1, true);
    // v_j = p_j / (1 + u_m) for j != m, and u_m for j = m.
    const v = tf.where(isLargest, u, tf.div(p, tf.add(uLargest, 1)));
    // Column r belongs to class r, or r + 1 from the largest class on.
    const classes = tf.add(index, tf.cast(tf.greaterEqual(index, largest), 'int32'));
    const diagonal = tf.mul(tf.cast(isClass(classes, outputs), 'float32'), u);
    const uOfColumn = tf.sum(diagonal, -1, true);
    return tf.sub(diagonal, tf.mul(uOfColumn, v));
  }),
  // w_k = p_k [ (1 - p_k / (1 + u_m))^2 + p_m + sum_{j != k, m} p_j^2 / (1 + u_m)^2 ]
  squaredNorms(z) {
    const [samples, outputs] = z.shape;
    const p = tf.exp(tf.logSoftmax(z));
    const largest = tf.expandDims(tf.argMax(z, 1), 1);
    const pLargest = tf.max(p, 1, true);
    const share = tf.div(p, tf.add(tf.sqrt(pLargest), 1));
    const squares = tf.square(share);
    const others = tf.sum(tf.where(isClass(largest, outputs), tf.zerosLike(squares), squares), 1, true);
    const rest = tf.relu(tf.sub(others, squares));
    const ofClass = tf.mul(p, tf.add(tf.add(tf.square(tf.sub(1, share)), pLargest), rest));
    const columns = outputs - 1;
    const index = tf.expandDims(tf.range(0, columns, 1, 'int32'), 0);
    return tf.where(
      tf.less(index, largest),
      tf.slice(ofClass, [0, 0], [samples, columns]),
      tf.slice(ofClass, [0, 1], [samples, columns]),
    ) as tf.Tensor2D;
  },
};

/** A diagonal output Hessian: column k is `root(z)_k e_k`. */
function diagonal(root: (z: tf.Tensor2D) => tf.Tensor2D): Factor {
  return {
    columns: (outputs) => outputs,
    ...choosing((z, index) => tf.mul(tf.cast(isClass(index, z.shape[1]), 'float32'), root(z))),
    squaredNorms: (z) => tf.square(root(z)),
  };
}

/**
 * Sigmoid and binary cross-entropy, averaged over the K outputs as tf.js does: A = diag(p (1 - p)) / K.
 * p (1 - p) is taken as sigmoid(z) sigmoid(-z), which keeps its digits where p rounds to 1.
 */
const sigmoid = diagonal((z) => tf.sqrt(tf.div(tf.mul(tf.sigmoid(z), tf.sigmoid(tf.neg(z))), z.shape[1])));

/** Mean over the K outputs of the squared error: A = (2 / K) I. */
const squaredError = diagonal((z) => tf.fill(z.shape, Math.sqrt(2 / z.shape[1])));

/** Every loss that can be measured. A new loss is one entry here (DESIGN: the trace kernel, "Columns"). */
export const outputHessians: Readonly<Record<LossName, OutputHessian>> = {
  categoricalCrossentropy: { activation: 'softmax', ...softmax },
  sparseCategoricalCrossentropy: { activation: 'softmax', ...softmax },
  binaryCrossentropy: { activation: 'sigmoid', ...sigmoid },
  meanSquaredError: { activation: null, ...squaredError },
  softmaxCrossEntropy: { activation: null, refusedActivations: ['softmax', 'logSoftmax', 'sigmoid'], ...softmax },
  sigmoidCrossEntropy: { activation: null, refusedActivations: ['sigmoid', 'softmax', 'logSoftmax'], ...sigmoid },
};
