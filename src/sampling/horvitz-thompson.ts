import { studentTQuantile } from './student-t.js';

/** Values y_i of the items drawn from one population, with their inclusion probabilities pi_i. */
export interface Stratum {
  readonly values: ArrayLike<number>;
  readonly inclusion: ArrayLike<number>;
}

/** How far an estimated total may be off. */
export interface TotalError {
  /** One standard error of the total. */
  readonly standardError: number;
  /** Half the width of the 95% interval: t times `standardError`. Infinity where there are too few items to have one. */
  readonly margin: number;
  readonly degreesOfFreedom: number;
  /** Items drawn at random; the others are certain. */
  readonly uncertain: number;
  /** Whether enough items carry the error for `standardError` and `margin` to be trusted. */
  readonly reliable: boolean;
}

/** Fewer uncertain items than this say too little of their spread for an interval. */
const FEWEST_FOR_INTERVAL = 30;
const FEWEST_DEGREES = 20;
/** Largest part of the variance that a single item may make. */
const LARGEST_SHARE = 0.25;

/** Horvitz-Thompson estimate of a total: sum_i y_i / pi_i over the items drawn. */
export function estimateTotal({ values, inclusion }: Stratum): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    total += values[i] / inclusion[i];
  }
  return total;
}

/**
 * Error of `estimateTotal`, summed over independent strata, for samples of fixed size with unequal probabilities (Hajek's
 * approximation). With e_i = y_i / pi_i, q_i = 1 - pi_i and beta = sum q e / sum q over the n uncertain items:
 *
 *     v_i = q_i (e_i - beta)^2,   H = sum v_i,   Var = n / (n - 1) H,   df = 2 H^2 / (sum v_i^2 - H^2 / n) in [2, n - 1].
 *
 * Unreliable: fewer than 30 uncertain items, df below 20, or one item that makes over a quarter of H. Where the uncertain
 * items have no spread at all, or there are none, the error is 0.
 */
export function errorOfTotal(strata: readonly Stratum[]): TotalError {
  let variance = 0;
  let spread = 0;
  let spreadOfSpread = 0;
  let largest = 0;
  let uncertain = 0;
  let groups = 0;
  for (const { values, inclusion } of strata) {
    let n = 0;
    let weight = 0;
    let weighted = 0;
    for (let i = 0; i < values.length; i++) {
      if (inclusion[i] < 1) {
        n++;
        weight += 1 - inclusion[i];
        weighted += ((1 - inclusion[i]) * values[i]) / inclusion[i];
      }
    }
    if (n === 0) {
      continue;
    }
    let h = 0;
    let squares = 0;
    for (let i = 0; i < values.length; i++) {
      if (inclusion[i] < 1) {
        const v = (1 - inclusion[i]) * (values[i] / inclusion[i] - weighted / weight) ** 2;
        h += v;
        squares += v * v;
        largest = Math.max(largest, v);
      }
    }
    // One item alone says nothing of its spread.
    variance += n === 1 ? Number.POSITIVE_INFINITY : (n / (n - 1)) * h;
    spread += h;
    spreadOfSpread += squares - (h * h) / n;
    uncertain += n;
    groups++;
  }
  if (uncertain === 0) {
    return { standardError: 0, margin: 0, degreesOfFreedom: Number.POSITIVE_INFINITY, uncertain, reliable: true };
  }
  const standardError = Math.sqrt(variance);
  const most = uncertain - groups;
  const satterthwaite = spreadOfSpread > 0 ? (2 * spread ** 2) / spreadOfSpread : most;
  const degreesOfFreedom = Math.max(2, Math.min(most, satterthwaite));
  const enough = uncertain >= FEWEST_FOR_INTERVAL;
  return {
    standardError,
    margin: enough ? studentTQuantile(0.975, degreesOfFreedom) * standardError : Number.POSITIVE_INFINITY,
    degreesOfFreedom,
    uncertain,
    reliable: enough && degreesOfFreedom >= FEWEST_DEGREES && largest <= LARGEST_SHARE * spread,
  };
}
