import * as tf from '@tensorflow/tfjs-core';
import { isClass, SMALLEST_SQUARED_NORM } from './column-factor.js';

/*
 * The losses themselves and their gradients, row by row, as tf.js computes them in `tfjs-layers/dist/losses.js` and
 * `tfjs-core/dist/ops/losses`, with its clipping. Gradients leave clipping out where it takes the gradient away from samples that are sure.
 */

/** A loss of rows of outputs, z, [N, K], and of labels, [N, K], or classes, [N]. */
export interface LossFunction {
  /** l_n, [N]. */
  value(z: tf.Tensor2D, labels: tf.Tensor): tf.Tensor1D;
  /** d l_n / d z_n, [N, K]. */
  gradient(z: tf.Tensor2D, labels: tf.Tensor): tf.Tensor2D;
}

/** What tf.js keeps probabilities away from 0 and 1 by: 1e-7, or 1e-4 where floats are half ones. */
const epsilon = () => tf.backend().epsilon();

const meanOfRow = (x: tf.Tensor) => tf.mean(x, 1) as tf.Tensor1D;
const sumOfRow = (x: tf.Tensor) => tf.sum(x, 1) as tf.Tensor1D;
/** 1 where it holds, 0 elsewhere. */
const indicator = (condition: tf.Tensor) => tf.cast(condition, 'float32');

/** Rows of labels as one-hot rows: a class that there is not is a row of zeros. */
const rowsOfClasses = (classes: tf.Tensor, outputs: number) => indicator(isClass(tf.expandDims(classes, 1), outputs));

/** The mean over the outputs of f(z_k, y_k), and the gradient from f's derivative by z_k. */
function meanOf(
  f: (z: tf.Tensor2D, y: tf.Tensor) => tf.Tensor,
  derivative: (z: tf.Tensor2D, y: tf.Tensor) => tf.Tensor,
): LossFunction {
  return {
    value: (z, y) => meanOfRow(f(z, y)),
    gradient: (z, y) => tf.div(derivative(z, y), z.shape[1]),
  };
}

/** -sum_k y_k log p_k with p = softmax(z), where p is clipped to [epsilon, 1 - epsilon] or not. */
function crossEntropy(z: tf.Tensor2D, y: tf.Tensor, isClipped: boolean): tf.Tensor1D {
  const logs = tf.logSoftmax(z);
  const { log } = Math;
  const kept = isClipped ? tf.clipByValue(logs, log(epsilon()), log(Math.fround(1 - epsilon()))) : logs;
  return tf.neg(sumOfRow(tf.mul(y, kept)));
}

/**
 * p sum_k y_k - y = p_k sum_{j != k} y_j - y_k sum_{j != k} p_j. The sum over the others keeps its digits where p_k rounds to 1: it is
 * taken term by term for the largest p, and as 1 - p_k for the rest.
 */
function softmaxGradient(z: tf.Tensor2D, y: tf.Tensor): tf.Tensor2D {
  const p = tf.exp(tf.logSoftmax(z));
  const isLargest = isClass(tf.expandDims(tf.argMax(z, 1), 1), z.shape[1]);
  const ofOthers = tf.sum(tf.where(isLargest, tf.zerosLike(p), p), 1, true);
  const rest = tf.where(isLargest, tf.mul(ofOthers, tf.onesLike(p)), tf.sub(1, p));
  const labelsOfOthers = tf.sub(tf.sum(y, 1, true), y);
  return tf.sub(tf.mul(p, labelsOfOthers), tf.mul(y, rest)) as tf.Tensor2D;
}

export const categoricalCrossentropy: LossFunction = {
  value: (z, y) => crossEntropy(z, y, true),
  gradient: softmaxGradient,
};

export const sparseCategoricalCrossentropy: LossFunction = {
  value: (z, classes) => crossEntropy(z, rowsOfClasses(classes, z.shape[1]), true),
  gradient: (z, classes) => softmaxGradient(z, rowsOfClasses(classes, z.shape[1])),
};

export const softmaxCrossEntropy: LossFunction = {
  value: (z, y) => crossEntropy(z, y, false),
  gradient: softmaxGradient,
};

/** max(z, 0) - z y + log(1 + exp(-|z|)). */
const logistic = (z: tf.Tensor, y: tf.Tensor) =>
  tf.add(tf.sub(tf.relu(z), tf.mul(z, y)), tf.log1p(tf.exp(tf.neg(tf.abs(z)))));

/** sigmoid(z) - y, as (1 - y) sigmoid(z) - y sigmoid(-z): it keeps its digits where the sigmoid rounds to 1. */
const logisticDerivative = (z: tf.Tensor, y: tf.Tensor) =>
  tf.sub(tf.mul(tf.sub(1, y), tf.sigmoid(z)), tf.mul(y, tf.sigmoid(tf.neg(z))));

export const sigmoidCrossEntropy = meanOf(logistic, logisticDerivative);

/** The same from probabilities that are clipped to [epsilon, 1 - epsilon]. */
export const binaryCrossentropy = meanOf((z, y) => {
  const [low, high] = [epsilon(), Math.fround(1 - epsilon())];
  return logistic(tf.clipByValue(z, Math.log(low / (1 - low)), Math.log(high / (1 - high))), y);
}, logisticDerivative);

export const meanSquaredError = meanOf(
  (z, y) => tf.squaredDifference(z, y),
  (z, y) => tf.mul(2, tf.sub(z, y)),
);

export const meanAbsoluteError = meanOf(
  (z, y) => tf.abs(tf.sub(z, y)),
  (z, y) => tf.sign(tf.sub(z, y)),
);

/** 100 / |y|, |y| being epsilon at least. */
const percent = (y: tf.Tensor) => tf.div(100, tf.maximum(tf.abs(y), epsilon()));

export const meanAbsolutePercentageError = meanOf(
  (z, y) => tf.mul(tf.abs(tf.sub(z, y)), percent(y)),
  (z, y) => tf.mul(tf.sign(tf.sub(z, y)), percent(y)),
);

/** log(1 + p), p being epsilon at least. */
const logOfOneMore = (p: tf.Tensor) => tf.log(tf.add(1, tf.maximum(p, epsilon())));

export const meanSquaredLogarithmicError = meanOf(
  (p, y) => tf.squaredDifference(logOfOneMore(p), logOfOneMore(y)),
  (p, y) => {
    const slope = tf.div(indicator(tf.greaterEqual(p, epsilon())), tf.add(1, tf.maximum(p, epsilon())));
    return tf.mul(tf.mul(2, tf.sub(logOfOneMore(p), logOfOneMore(y))), slope);
  },
);

/** max(0, 1 - y z). */
const margin = (z: tf.Tensor, y: tf.Tensor) => tf.relu(tf.sub(1, tf.mul(y, z)));

export const squaredHinge = meanOf(
  (z, y) => tf.square(margin(z, y)),
  (z, y) => tf.mul(tf.mul(-2, y), margin(z, y)),
);

export const hinge = meanOf(margin, (z, y) => tf.neg(tf.mul(y, tf.step(margin(z, y)))));

/** Labels 0 and 1 as -1 and 1. */
const signed = (y: tf.Tensor) => tf.sub(tf.mul(2, y), 1);

export const hingeLoss: LossFunction = {
  value: (z, y) => hinge.value(z, signed(y)),
  gradient: (z, y) => hinge.gradient(z, signed(y)),
};

/** max(0, 1 + max_k (1 - y_k) z_k - sum_k y_k z_k). */
export const categoricalHinge: LossFunction = {
  value(z, y) {
    const others = tf.max(tf.mul(tf.sub(1, y), z), 1);
    return tf.relu(tf.add(1, tf.sub(others, sumOfRow(tf.mul(y, z))))) as tf.Tensor1D;
  },
  gradient(z, y) {
    const others = tf.sub(1, y);
    const isLargest = indicator(isClass(tf.expandDims(tf.argMax(tf.mul(others, z), 1), 1), z.shape[1]));
    const isActive = tf.expandDims(tf.step(categoricalHinge.value(z, y)), 1);
    return tf.mul(isActive, tf.sub(tf.mul(isLargest, others), y)) as tf.Tensor2D;
  },
};

export const logcosh = meanOf(
  (z, y) => {
    const e = tf.sub(z, y);
    return tf.sub(tf.add(e, tf.softplus(tf.mul(-2, e))), Math.LN2);
  },
  (z, y) => tf.tanh(tf.sub(z, y)),
);

/** Where tf.losses.huberLoss, called without delta, goes over from squares to a line. */
export const HUBER_DELTA = 1;

export const huberLoss = meanOf(
  (z, y) => {
    const e = tf.abs(tf.sub(z, y));
    const quadratic = tf.minimum(e, HUBER_DELTA);
    return tf.add(tf.mul(0.5, tf.square(quadratic)), tf.mul(HUBER_DELTA, tf.sub(e, quadratic)));
  },
  (z, y) => tf.clipByValue(tf.sub(z, y), -HUBER_DELTA, HUBER_DELTA),
);

/** Of a rate p: p - y log(p + epsilon). */
export const poisson = meanOf(
  (p, y) => tf.sub(p, tf.mul(y, tf.log(tf.add(p, epsilon())))),
  (p, y) => tf.sub(1, tf.div(y, tf.add(p, epsilon()))),
);

/** sum_k y_k log (y_k / p_k), both clipped to [epsilon, 1]. */
function divergence(p: tf.Tensor, y: tf.Tensor): tf.Tensor1D {
  const [labels, outputs] = [y, p].map((each) => tf.clipByValue(each, epsilon(), 1));
  return sumOfRow(tf.mul(y, tf.log(tf.div(labels, outputs))));
}

export const kullbackLeiblerDivergence: LossFunction = {
  value: divergence,
  gradient(p, y) {
    const isInside = indicator(tf.logicalAnd(tf.greaterEqual(p, epsilon()), tf.lessEqual(p, 1)));
    return tf.neg(tf.div(tf.mul(y, isInside), tf.maximum(p, epsilon()))) as tf.Tensor2D;
  },
};

export const kullbackLeiblerOfSoftmax: LossFunction = {
  value: (z, y) => divergence(tf.softmax(z), y),
  gradient: softmaxGradient,
};

export const kullbackLeiblerOfSigmoid: LossFunction = {
  value: (z, y) => divergence(tf.sigmoid(z), y),
  gradient: (z, y) => tf.neg(tf.mul(y, tf.sigmoid(tf.neg(z)))),
};

/** What tf.losses.logLoss adds to probabilities. */
export const LOG_LOSS_EPSILON = 1e-7;

const logLossOf = (p: tf.Tensor, y: tf.Tensor) => {
  const [yes, no] = [p, tf.sub(1, p)].map((each) => tf.log(tf.add(each, LOG_LOSS_EPSILON)));
  return tf.neg(tf.add(tf.mul(y, yes), tf.mul(tf.sub(1, y), no)));
};

export const logLoss = meanOf(logLossOf, (p, y) =>
  tf.sub(tf.div(tf.sub(1, y), tf.add(tf.sub(1, p), LOG_LOSS_EPSILON)), tf.div(y, tf.add(p, LOG_LOSS_EPSILON))),
);

export const logLossOfSigmoid = meanOf((z, y) => logLossOf(tf.sigmoid(z), y), logisticDerivative);

/** A row over its length, which is taken for sqrt(1e-7) where it is shorter: [N, K], and the length, [N, 1]. */
function direction(x: tf.Tensor): { u: tf.Tensor; length: tf.Tensor } {
  const length = tf.sqrt(tf.maximum(tf.sum(tf.square(x), 1, true), SMALLEST_SQUARED_NORM));
  return { u: tf.div(x, length), length };
}

/** Minus the cosine of z and y. */
export const cosineProximity: LossFunction = {
  value: (z, y) => tf.neg(sumOfRow(tf.mul(direction(z).u, direction(y).u))),
  gradient(z, y) {
    const [{ u, length }, { u: t }] = [direction(z), direction(y)];
    const isLong = indicator(tf.greater(length, Math.sqrt(SMALLEST_SQUARED_NORM)));
    const along = tf.mul(tf.sum(tf.mul(t, u), 1, true), isLong);
    return tf.div(tf.sub(tf.mul(along, u), t), length);
  },
};

/** 1 - sum_k y_k z_k: z is taken to be of length 1. */
export const cosineDistance: LossFunction = {
  value: (z, y) => tf.sub(1, sumOfRow(tf.mul(z, y))),
  gradient: (_, y) => tf.neg(tf.clone(y)) as tf.Tensor2D,
};

/** The part of the mean m in the divergence of N(m, exp(v)) from N(0, 1): sum_k m_k^2 / 2. */
export const gaussianMeanDivergence: LossFunction = {
  value: (m) => tf.div(sumOfRow(tf.square(m)), 2),
  gradient: (m) => tf.clone(m),
};

/** That of the logarithm v of the variance: sum_k (exp(v_k) - v_k - 1) / 2. */
export const gaussianVarianceDivergence: LossFunction = {
  value: (v) => tf.div(sumOfRow(tf.sub(tf.expm1(v), v)), 2),
  gradient: (v) => tf.div(tf.expm1(v), 2),
};
