import { type PairSample, SampledTraces } from '../pairs/sampled-traces.js';
import type { TotalError } from '../sampling/horvitz-thompson.js';
import { type Eigenpair, ROUNDING, topEigenpairs } from './eigenpairs.js';
import type { PairGrams } from './pair-grams.js';

/** Pairs that were drawn, with the probabilities of that: what an estimate made of them goes by. */
export interface DrawnPairs extends Pick<PairSample, 'samples' | 'inclusion'> {
  /** The sample of each pair. */
  readonly sampleOf: readonly number[];
  /** Where the samples are a random part of those that the estimate speaks for: how many these are. */
  readonly population?: number | undefined;
}

/** An eigenvalue, estimated from pairs. */
export interface EstimatedEigenvalue {
  readonly value: number;
  /**
   * Of `value`, by the choice of the pairs, and of the samples of a part: the root of the mean square, with what it lies off on average,
   * what pairs that were not drawn may have, and rounding.
   */
  readonly error: TotalError;
  /** v^T G_b v of each block, for the eigenvector v of length 1 at the scales at hand: they add up to `value`. Found when asked for. */
  readonly ofBlocks: () => readonly number[];
}

/** Eigenvectors beside those wanted, for what they do to these. */
const NEIGHBOURS = 3;
/** Standard errors in half a 95% interval, where nothing was left to chance. */
const NORMAL = 1.96;
/** Of fewer pairs drawn at random, those that look reliable are mostly draws that missed the pairs that count. */
const FEWEST_UNCERTAIN = 50;

/**
 * The largest eigenvalues of the Gauss-Newton matrix at rescaled weights, G = sum_b f_b G_b in blocks. With the gradients g_i of the
 * pairs drawn, G^ = (1/N) sum_i g_i g_i^T / pi_i has those of the matrix of scalar products
 *
 *     K_ij = sum_b f_b <g_i, g_j>_b / (N sqrt(pi_i pi_j)).
 *
 * To first order an eigenvalue with the eigenvector u of K is a total over the pairs, lambda = sum_i lambda u_i^2, and has the error of such a
 * total (the linearised variance). To second order eigenvalues push each other away: the part of the
 * error between the eigenvectors u and w of two, sqrt(lambda mu) sum_i u_i w_i with the variance S, moves them apart by
 *
 *     (|lambda - mu| - sqrt(max(0, (lambda - mu)^2 - 4 S))) / 2
 *
 * as seen from the distance that they have afterwards (the eigenvalues of a matrix of two rows; S / |lambda - mu| where it is small). The
 * largest come out too high, those with near neighbours above them may come out too low; the larger of the two pushes
 * is in the error. It is not taken off the value, since it is not known well enough for that where neighbours are near.
 *
 * All of that is known of pairs that were drawn: a draw that missed the few which have a direction looks sure of it. But pairs are drawn
 * by their size, so that one that was missed has about the K_ii of those left to chance that were drawn, and along u it would have added
 * that: the mean of q_i (K_ii - lambda u_i^2) over these, with q_i = 1 - pi_i, is in the error too.
 *
 * Rounding is about 2^-24 of the trace of K, and in every error. What lies below twice that may be rounding alone, and is given as 0. So is what
 * lies beyond the rank of K, which has no more eigenvalues above 0 than there are pairs.
 *
 * @param factors f_b, at least 0.
 * @param count at most the number of weights.
 * @returns `count` of them.
 */
export function eigenvaluesOfPairs(
  grams: PairGrams,
  drawn: DrawnPairs,
  factors: readonly number[],
  count: number,
): EstimatedEigenvalue[] {
  const { pairs, products, units } = grams;
  const { samples, inclusion } = drawn;
  const roots = inclusion.map((pi, i) => units[i] / Math.sqrt(samples * pi));
  const matrix = new Float64Array(pairs * pairs);
  products.forEach((ofBlock, b) => {
    if (factors[b] > 0) {
      addScaled(matrix, ofBlock, roots, factors[b]);
    }
  });
  mirror(matrix, pairs);
  const all = topEigenpairs(matrix, pairs, count, NEIGHBOURS);
  const errorOf = errorsOfSums(drawn, pairs);
  const diagonal = Float64Array.from({ length: pairs }, (_, i) => matrix[i * pairs + i]);
  const rounding = ROUNDING * diagonal.reduce((sum, each) => sum + each, 0);
  const beyondAll = beyond(diagonal, all);
  return Array.from({ length: count }, (_, j) => {
    const { value, vector, shortfall } = all[j] ?? { value: 0, vector: new Float64Array(pairs), shortfall: 0 };
    if (!(value > 2 * rounding)) {
      const none = errorOf(() => 0);
      return {
        value: 0,
        error: withOffset(none, Math.hypot(2 * rounding, unseen(diagonal, drawn))),
        ofBlocks: () => products.map(() => 0),
      };
    }
    const error = errorOf((i) => value * vector[i] ** 2);
    const push = { up: 0, down: 0 };
    all.forEach((other, k) => {
      if (k !== j) {
        const root = Math.sqrt(value * Math.max(0, other.value));
        const { standardError } = errorOf((i) => root * vector[i] * other.vector[i]);
        const gap = Math.abs(value - other.value);
        push[k < j ? 'down' : 'up'] += (gap - Math.sqrt(Math.max(0, gap ** 2 - 4 * standardError ** 2))) / 2;
      }
    });
    // All others have next to none of its size.
    push.up += vector.reduce((sum, each, i) => sum + uncertaintyOf(drawn, i) * each ** 2 * beyondAll[i], 0);
    const missed = unseen(beyond(diagonal, [all[j]]), drawn);
    return {
      value,
      error: withOffset(error, Math.hypot(Math.max(push.up, push.down), missed, rounding, shortfall)),
      ofBlocks: () => {
        const weighed = vector.map((each, i) => each * roots[i]);
        return products.map((ofBlock, b) => (factors[b] > 0 ? factors[b] * quadraticForm(ofBlock, weighed) : 0));
      },
    };
  });
}

/** The error of sums over the pairs drawn, with terms that hold 1 / pi_i and 1 / N. */
function errorsOfSums({ samples, inclusion, sampleOf, population }: DrawnPairs, pairs: number) {
  return (termOf: (i: number) => number): TotalError => {
    const sample: PairSample = {
      samples,
      pairs,
      closedForm: [null],
      inclusion,
      traces: [inclusion.map((pi, i) => samples * pi * termOf(i))],
      ...(population !== undefined && { part: { population, sampleOf, closedForm: [[]] } }),
    };
    return new SampledTraces([sample]).errorOf([1]);
  };
}

/** 1 - pi, with the chance of the sample to be in the part. */
function uncertaintyOf({ samples, inclusion, population = samples }: DrawnPairs, i: number): number {
  return 1 - (inclusion[i] * samples) / population;
}

/** The diagonal of a matrix without the part that some of its eigenvectors have in it. */
function beyond(diagonal: Float64Array, eigenpairs: readonly Eigenpair[]): Float64Array {
  return diagonal.map((each, i) =>
    Math.max(0, each - eigenpairs.reduce((sum, { value, vector }) => sum + value * vector[i] ** 2, 0)),
  );
}

/** What one pair that was missed may have: the mean of q_i times these numbers, over the pairs that were left to chance. */
function unseen(numbers: Float64Array, drawn: DrawnPairs): number {
  let sum = 0;
  let count = 0;
  numbers.forEach((each, i) => {
    const uncertainty = uncertaintyOf(drawn, i);
    if (uncertainty > 0) {
      sum += uncertainty * each;
      count++;
    }
  });
  return count > 0 ? sum / count : 0;
}

/** The error of a value that is also off by as much as `offset`. */
function withOffset(error: TotalError, offset: number): TotalError {
  const { standardError, margin, uncertain } = error;
  const all = Math.hypot(standardError, offset);
  return {
    ...error,
    standardError: all,
    margin: all * (standardError > 0 ? margin / standardError : NORMAL),
    reliable: error.reliable && (uncertain === 0 || uncertain >= FEWEST_UNCERTAIN),
  };
}

/** Adds factor r_i r_j a_ij on and below the diagonal. */
function addScaled(matrix: Float64Array, a: Float32Array, roots: readonly number[], factor: number): void {
  const size = roots.length;
  for (let i = 0; i < size; i++) {
    const ofRow = factor * roots[i];
    for (let j = 0, place = i * size; j <= i; j++, place++) {
      matrix[place] += ofRow * roots[j] * a[place];
    }
  }
}

/** Makes what is above the diagonal what is below it: products that were rounded each in its way become symmetric. */
function mirror(matrix: Float64Array, size: number): void {
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) {
      matrix[j * size + i] = matrix[i * size + j];
    }
  }
}

/** u^T a u, of a symmetric a: what is below its diagonal counts twice. */
function quadraticForm(a: Float32Array, u: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < u.length; i++) {
    let ofRow = (a[i * u.length + i] * u[i]) / 2;
    for (let j = 0, place = i * u.length; j < i; j++, place++) {
      ofRow += a[place] * u[j];
    }
    sum += 2 * u[i] * ofRow;
  }
  return sum;
}
