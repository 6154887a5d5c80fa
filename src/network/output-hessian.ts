import * as tf from '@tensorflow/tfjs-core';
import { constantForGradients } from '../tfjs/gradient-tape.js';
import {
  diagonalFactor,
  type Factor,
  flatFactor,
  logOfSigmoidRoot,
  rootOfSigmoid,
  sigmoidFactor,
  softmaxFactor,
  sphereFactor,
} from './column-factor.js';
import * as losses from './loss-functions.js';
import { givenColumns, squaredErrorColumns } from './row-columns.js';

/** The losses whose output Hessian has a known factor. */
export type LossName =
  | 'categoricalCrossentropy'
  | 'sparseCategoricalCrossentropy'
  | 'binaryCrossentropy'
  | 'meanSquaredError'
  | 'softmaxCrossEntropy'
  | 'sigmoidCrossEntropy'
  | 'meanAbsoluteError'
  | 'meanAbsolutePercentageError'
  | 'meanSquaredLogarithmicError'
  | 'squaredHinge'
  | 'hinge'
  | 'categoricalHinge'
  | 'logcosh'
  | 'kullbackLeiblerDivergence'
  | 'poisson'
  | 'cosineProximity'
  | 'huberLoss'
  | 'logLoss'
  | 'hingeLoss'
  | 'cosineDistance'
  | 'gaussianMeanDivergence'
  | 'gaussianVarianceDivergence';

/**
 * The factor C of a loss's output Hessian A = d2 l / dz2 = C C^T, column by column, for one sample at a time. Labels are given where A
 * depends on them (`needsLabels`); where it is in proportion to the sum of a row of them (`byRowSum`), it is that of a sum of 1.
 */
export interface OutputHessian extends Factor {
  /** The loss; `'factor'` for one of the user's own. */
  readonly name: LossName | 'factor';
  /** What its labels are: numbers of classes, probabilities from 0 to 1, finite numbers, those of at least 0; or it has none. */
  readonly labels: LabelKind;
  /** Whether the Hessian is rho A with rho = sum_k y_k, the sum of a row of labels, as that of softmax cross-entropy is. */
  readonly byRowSum: boolean;
  /** Whether A depends on the labels otherwise: then all functions here have to be given them. */
  readonly needsLabels?: boolean;
  /** Whether A is 0 wherever it exists: there are no columns. */
  readonly isFlat?: boolean;
  /** Of such a loss: one for the same targets, or nearly, that is curved. */
  readonly curvedInstead?: LossName;
  /** Whether A may be 0 for samples that the network is not sure of, or for all of them. */
  readonly mayVanish?: boolean;
  /** Where A is only the Gauss-Newton part of the loss's own Hessian: what it is taken over, for a sentence. */
  readonly gaussNewtonOver?: string;
  /** Whether the loss is in units of information, so that its size says how sure and how wrong the network is. */
  readonly isLikelihood?: boolean;
  /** The last activation that the loss expects the network to end in; z is taken before it. Null: z is the output. */
  readonly activation: 'softmax' | 'sigmoid' | null;
  /** Last activations that the loss would apply a second time. */
  readonly refusedActivations?: readonly string[];
  /** What takes the place of this loss where the network ends in one of these activations, with z taken before it. */
  readonly after?: Readonly<Partial<Record<'softmax' | 'sigmoid', OutputHessian>>>;
  /**
   * Gradient of each sample's loss, d l_n / d z_n, as tf.js has the loss, but exact: tf.js' Keras losses clip probabilities to
   * [1e-7, 1 - 1e-7], which takes the gradient away from samples that are sure.
   *
   * @param z [N, K].
   * @param labels [N, K]; for sparse labels their classes, [N].
   * @returns [N, K].
   */
  gradient?(z: tf.Tensor2D, labels: tf.Tensor): tf.Tensor2D;
  /**
   * Each sample's loss, as tf.js computes it.
   *
   * @param z [N, K].
   * @param labels as for `gradient`.
   * @returns [N].
   */
  value?(z: tf.Tensor2D, labels: tf.Tensor): tf.Tensor1D;
}

/** What labels are: see `OutputHessian`. */
export type LabelKind = 'classes' | 'probabilities' | 'numbers' | 'amounts' | 'none';

/**
 * A loss of the user's own, by a factor of its output Hessian: d2 l / dz2 = C C^T for one sample or position, with K outputs
 * and R columns. Where the Hessian is not positive semidefinite, a factor of its expectation, or of its Gauss-Newton part, gives that
 * trace.
 */
export interface LossFactor {
  /** The last activation that belongs to the loss: z is then taken before it. Default null: z is the model's output. */
  readonly activation?: 'softmax' | 'sigmoid' | null;
  /** Whether the factor depends on the labels, which are then needed to measure. Default false. */
  readonly needsLabels?: boolean;
  /** R, for K outputs. */
  columns(outputs: number): number;
  /**
   * C^T of every row, column by column.
   *
   * @param z [M, K]: samples, or positions of samples, as rows.
   * @param labels [M, K], with `needsLabels` alone.
   * @returns [R, M, K].
   */
  factor(z: tf.Tensor2D, labels?: tf.Tensor2D): tf.Tensor3D;
  /**
   * d l / d z of every row, for `{ hutchinson: probes }` alone.
   *
   * @param z [M, K].
   * @param labels [M, K].
   * @returns [M, K].
   */
  gradient?(z: tf.Tensor2D, labels: tf.Tensor): tf.Tensor2D;
  /**
   * l of every row, for `reading.loss` alone.
   *
   * @param z [M, K].
   * @param labels [M, K].
   * @returns [M].
   */
  value?(z: tf.Tensor2D, labels: tf.Tensor): tf.Tensor1D;
}

/** A loss by the factor of its output Hessian. @throws Error with one line where the factor has not the shape [R, M, K]. */
export function hessianOfFactor(loss: LossFactor): OutputHessian {
  const { activation = null, needsLabels = false, gradient, value } = loss;
  const columns = (outputs: number) => loss.columns(outputs);
  const all = (z: tf.Tensor2D, labels?: tf.Tensor2D) => {
    const [rows, outputs] = z.shape;
    const found = labels ? loss.factor(z, labels) : loss.factor(z);
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
    needsLabels,
    mayVanish: true,
    activation,
    columns,
    ...(gradient && { gradient: (z, labels) => gradient.call(loss, z, labels) }),
    ...(value && { value: (z, labels) => value.call(loss, z, labels) }),
    factor: (z, begin, count, _, labels) => tf.slice(all(z, labels), [begin, 0, 0], [count, ...z.shape]),
    columnOfEach(z, index, _, labels) {
      const [rows, outputs] = z.shape;
      const places = tf.add(tf.mul(index, rows), tf.range(0, rows, 1, 'int32'));
      return tf.gather(tf.reshape(all(z, labels), [-1, outputs]), tf.cast(places, 'int32')) as tf.Tensor2D;
    },
    combination(z, signs, labels) {
      const found = all(z, labels);
      return tf.sum(tf.mul(found, signs([found.shape[0], found.shape[1], 1])), 0) as tf.Tensor2D;
    },
    ofRow: givenColumns,
    numbers: (z, labels) => tf.reshape(tf.transpose(all(z, labels), [1, 0, 2]), [z.shape[0], -1]),
    curvature: (z, labels) => tf.reshape(tf.sum(tf.square(all(z, labels)), [0, 2]), [-1, 1]) as tf.Tensor2D,
  };
}

type Entry = Omit<OutputHessian, 'name'>;

/** Softmax cross-entropy: l = -sum_k y_k log p_k, A = sum_k y_k (diag(p) - p p^T). */
const softmax = { ...softmaxFactor, byRowSum: true, isLikelihood: true } as const;

/** Binary cross-entropy of sigmoids, a mean over the outputs. */
const sigmoid = { ...sigmoidFactor, byRowSum: false, isLikelihood: true } as const;

/** Mean over the K outputs of the squared error: A = (2 / K) I. */
const squaredError: Entry = {
  labels: 'numbers',
  activation: null,
  byRowSum: false,
  ...diagonalFactor({ root: (z) => tf.fill(z.shape, Math.sqrt(2 / z.shape[1])) }, squaredErrorColumns),
  curvature: () => 2,
  ...losses.meanSquaredError,
};

/** Linear in pieces, in each output at least. */
const flat = { ...flatFactor, labels: 'numbers', activation: null, byRowSum: false, isFlat: true } as const;

/** Of z and labels, a diagonal. */
const byLabels = (factor: Factor) =>
  ({ ...factor, activation: null, byRowSum: false, needsLabels: true, mayVanish: true }) as const;

/** 1 where it holds, else 0: what gradients take for a constant. */
const where = (condition: () => tf.Tensor) => constantForGradients(() => tf.cast(condition(), 'float32'));

/** A = 2 y_k^2 [y_k z_k < 1] / K. */
const squaredHinge: Entry = {
  labels: 'numbers',
  ...byLabels(
    diagonalFactor({
      root: (z, y) =>
        tf.mul(
          tf.mul(
            tf.abs(y),
            where(() => tf.less(tf.mul(y, z), 1)),
          ),
          Math.sqrt(2 / z.shape[1]),
        ),
    }),
  ),
  ...losses.squaredHinge,
};

/** A = [|z_k - y_k| < delta] / K. */
const huberLoss: Entry = {
  labels: 'numbers',
  ...byLabels(
    diagonalFactor({
      root: (z, y) =>
        tf.mul(
          where(() => tf.less(tf.abs(tf.sub(z, y)), losses.HUBER_DELTA)),
          Math.sqrt(1 / z.shape[1]),
        ) as tf.Tensor2D,
    }),
  ),
  ...losses.huberLoss,
};

/** A = 1 / cosh(e_k)^2 / K, e = z - y. The root is 2 exp(-|e|) / (1 + exp(-2 |e|)), which does not overflow. */
const logcosh: Entry = {
  labels: 'numbers',
  ...byLabels(
    diagonalFactor({
      root(z, y) {
        const small = tf.exp(tf.neg(tf.abs(tf.sub(z, y))));
        return tf.div(tf.mul(small, 2 / Math.sqrt(z.shape[1])), tf.add(1, tf.square(small)));
      },
    }),
  ),
  ...losses.logcosh,
};

/** A = y_k / (p_k + epsilon)^2 / K. */
const poisson: Entry = {
  labels: 'amounts',
  ...byLabels(
    diagonalFactor({
      root: (p, y) => tf.div(tf.sqrt(tf.div(y, p.shape[1])), tf.add(p, tf.backend().epsilon())),
    }),
  ),
  ...losses.poisson,
};

/** Of probabilities: A = y_k / p_k^2 where p_k is not clipped. After a sigmoid y_k p_k (1 - p_k), after a softmax that of cross-entropy. */
const kullbackLeiblerDivergence: Entry = {
  labels: 'amounts',
  ...byLabels(
    diagonalFactor({
      root(p, y) {
        const low = tf.backend().epsilon();
        const isInside = where(() => tf.logicalAnd(tf.greaterEqual(p, low), tf.lessEqual(p, 1)));
        return tf.div(tf.mul(tf.sqrt(y), isInside), tf.maximum(p, low)) as tf.Tensor2D;
      },
    }),
  ),
  ...losses.kullbackLeiblerDivergence,
  after: {
    softmax: {
      name: 'kullbackLeiblerDivergence',
      labels: 'amounts',
      activation: 'softmax',
      ...softmax,
      ...losses.kullbackLeiblerOfSoftmax,
    },
    sigmoid: {
      name: 'kullbackLeiblerDivergence',
      labels: 'amounts',
      ...byLabels(
        diagonalFactor({
          root: (z, y) => tf.mul(rootOfSigmoid(z), tf.sqrt(y)),
          logOfRoot: logOfSigmoidRoot,
          rest: (y) => tf.sqrt(y),
        }),
      ),
      activation: 'sigmoid',
      isLikelihood: true,
      ...losses.kullbackLeiblerOfSigmoid,
    },
  },
};

/** Of probabilities: A = [y_k / (p_k + epsilon)^2 + (1 - y_k) / (1 - p_k + epsilon)^2] / K. After a sigmoid that of binary cross-entropy. */
const logLoss: Entry = {
  labels: 'probabilities',
  ...byLabels(
    diagonalFactor({
      root(p, y) {
        const ofYes = tf.div(y, tf.square(tf.add(p, losses.LOG_LOSS_EPSILON)));
        const ofNo = tf.div(tf.sub(1, y), tf.square(tf.add(tf.sub(1, p), losses.LOG_LOSS_EPSILON)));
        return tf.sqrt(tf.div(tf.add(ofYes, ofNo), p.shape[1]));
      },
    }),
  ),
  ...losses.logLoss,
  after: {
    sigmoid: {
      name: 'logLoss',
      labels: 'probabilities',
      activation: 'sigmoid',
      ...sigmoid,
      ...losses.logLossOfSigmoid,
    },
  },
};

/** With u = log(1 + p), a mean of (u_k - v_k)^2: A = 2 / (1 + p_k)^2 / K, where p_k is not clipped. */
const meanSquaredLogarithmicError: Entry = {
  labels: 'numbers',
  activation: null,
  byRowSum: false,
  mayVanish: true,
  gaussNewtonOver: 'log(1 + p)',
  ...diagonalFactor({
    root(p) {
      const low = tf.backend().epsilon();
      const isInside = where(() => tf.greaterEqual(p, low));
      return tf.div(tf.mul(isInside, Math.sqrt(2 / p.shape[1])), tf.add(1, tf.maximum(p, low))) as tf.Tensor2D;
    },
  }),
  ...losses.meanSquaredLogarithmicError,
};

const cosineProximity: Entry = {
  labels: 'numbers',
  activation: null,
  byRowSum: false,
  mayVanish: true,
  gaussNewtonOver: 'z / |z|',
  ...sphereFactor,
  ...losses.cosineProximity,
};

/** The two parts of the divergence of N(m, exp(v)) from N(0, 1): A = I in m, and diag(exp(v)) / 2 in v. */
const gaussianMeanDivergence: Entry = {
  labels: 'none',
  activation: null,
  byRowSum: false,
  ...diagonalFactor({ root: (m) => tf.onesLike(m) }),
  ...losses.gaussianMeanDivergence,
};

const gaussianVarianceDivergence: Entry = {
  labels: 'none',
  activation: null,
  byRowSum: false,
  ...diagonalFactor({
    root: (v) => tf.mul(tf.exp(tf.div(v, 2)), Math.SQRT1_2),
    logOfRoot: (v) => tf.sub(tf.div(v, 2), Math.LN2 / 2),
  }),
  ...losses.gaussianVarianceDivergence,
};

/** Every loss that can be measured. A new loss is one entry here. */
export const outputHessians: Readonly<Record<LossName, OutputHessian>> = named({
  categoricalCrossentropy: {
    labels: 'probabilities',
    activation: 'softmax',
    ...softmax,
    ...losses.categoricalCrossentropy,
  },
  sparseCategoricalCrossentropy: {
    labels: 'classes',
    activation: 'softmax',
    ...softmax,
    ...losses.sparseCategoricalCrossentropy,
  },
  binaryCrossentropy: { labels: 'probabilities', activation: 'sigmoid', ...sigmoid, ...losses.binaryCrossentropy },
  meanSquaredError: squaredError,
  softmaxCrossEntropy: {
    labels: 'probabilities',
    activation: null,
    refusedActivations: ['softmax', 'logSoftmax', 'sigmoid'],
    ...softmax,
    ...losses.softmaxCrossEntropy,
  },
  sigmoidCrossEntropy: {
    labels: 'probabilities',
    activation: null,
    refusedActivations: ['sigmoid', 'softmax', 'logSoftmax'],
    ...sigmoid,
    ...losses.sigmoidCrossEntropy,
  },
  meanAbsoluteError: { ...flat, curvedInstead: 'huberLoss', ...losses.meanAbsoluteError },
  meanAbsolutePercentageError: { ...flat, curvedInstead: 'huberLoss', ...losses.meanAbsolutePercentageError },
  meanSquaredLogarithmicError,
  squaredHinge,
  hinge: { ...flat, curvedInstead: 'squaredHinge', ...losses.hinge },
  categoricalHinge: { ...flat, curvedInstead: 'softmaxCrossEntropy', ...losses.categoricalHinge },
  logcosh,
  kullbackLeiblerDivergence,
  poisson,
  cosineProximity,
  huberLoss,
  logLoss,
  hingeLoss: { ...flat, curvedInstead: 'sigmoidCrossEntropy', labels: 'probabilities', ...losses.hingeLoss },
  cosineDistance: { ...flat, curvedInstead: 'cosineProximity', ...losses.cosineDistance },
  gaussianMeanDivergence,
  gaussianVarianceDivergence,
});

function named(table: Readonly<Record<LossName, Entry>>): Record<LossName, OutputHessian> {
  const entries = Object.entries(table).map(([name, hessian]) => [name, { name, ...hessian }]);
  return Object.fromEntries(entries) as Record<LossName, OutputHessian>;
}
