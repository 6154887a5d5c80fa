import { type PairSample, SampledTraces } from '../pairs/sampled-traces.js';
import type { TotalError } from '../sampling/horvitz-thompson.js';
import { topEigenpairs } from './eigenpairs.js';
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
  /** Of `value`, by the choice of the pairs, and of the samples of a part. */
  readonly error: TotalError;
  /** v^T G_b v of each block, for the eigenvector v of length 1 at the scales at hand: they add up to `value`. */
  readonly ofBlocks: readonly number[];
}

/**
 * The largest eigenvalues of the Gauss-Newton matrix at rescaled weights, G = sum_b f_b G_b in blocks. With the gradients g_i of the
 * pairs drawn, G^ = (1/N) sum_i g_i g_i^T / pi_i has those of the matrix of scalar products
 *
 *     K_ij = sum_b f_b <g_i, g_j>_b / (N sqrt(pi_i pi_j)).
 *
 * To first order an eigenvalue with the eigenvector u of K is a total over the pairs, lambda = sum_i lambda u_i^2, and has the error of such a
 * total (the linearised, or infinitesimal jackknife, variance).
 *
 * @param factors f_b, at least 0.
 */
export function eigenvaluesOfPairs(
  grams: PairGrams,
  drawn: DrawnPairs,
  factors: readonly number[],
  count: number,
): EstimatedEigenvalue[] {
  const { pairs, products, units } = grams;
  const { samples, inclusion, sampleOf, population } = drawn;
  const roots = inclusion.map((pi, i) => units[i] / Math.sqrt(samples * pi));
  const matrix = new Float64Array(pairs * pairs);
  products.forEach((ofBlock, b) => {
    if (factors[b] > 0) {
      addScaled(matrix, ofBlock, roots, factors[b]);
    }
  });
  const found = topEigenpairs(matrix, pairs, count);
  const sample: PairSample = {
    samples,
    pairs,
    closedForm: found.map(() => null),
    inclusion,
    traces: found.map(({ value, vector }) => inclusion.map((pi, i) => samples * pi * value * vector[i] ** 2)),
    ...(population !== undefined && { part: { population, sampleOf, closedForm: found.map(() => []) } }),
  };
  const estimated = new SampledTraces([sample]);
  return found.map(({ value, vector }, j) => ({
    value,
    error: estimated.errorOf(found.map((_, i) => (i === j ? 1 : 0))),
    ofBlocks: products.map((ofBlock, b) =>
      factors[b] > 0
        ? factors[b] *
          quadraticForm(
            ofBlock,
            vector.map((each, i) => each * roots[i]),
          )
        : 0,
    ),
  }));
}

/** Adds factor r_i r_j a_ij. The larger half is rounded as the smaller one, so that the matrix stays symmetric. */
function addScaled(matrix: Float64Array, a: Float32Array, roots: readonly number[], factor: number): void {
  const size = roots.length;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      const product = factor * roots[i] * roots[j] * a[i * size + j];
      matrix[i * size + j] += product;
      if (i !== j) {
        matrix[j * size + i] += product;
      }
    }
  }
}

/** u^T a u. */
function quadraticForm(a: Float32Array, u: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < u.length; i++) {
    let ofRow = 0;
    for (let j = 0; j < u.length; j++) {
      ofRow += a[i * u.length + j] * u[j];
    }
    sum += u[i] * ofRow;
  }
  return sum;
}
