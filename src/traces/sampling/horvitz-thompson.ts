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

/** The variance of one estimate, as a sum over items that were drawn: what it is known from. */
export interface Variance {
  /** Estimate of the variance. */
  readonly variance: number;
  /** H = sum v_i, and sum v_i^2 - H^2 / n, over the items drawn at random. */
  readonly spread: number;
  readonly spreadOfSpread: number;
  /** max v_i. */
  readonly largest: number;
  /** n. */
  readonly items: number;
}

/** beta = sum_i (1 - pi_i) y_i / pi_i / sum_i (1 - pi_i), of the items that are not certain; 0 where all are. */
export function meanOfUncertain({ values, inclusion }: Stratum): number {
  let weight = 0;
  let weighted = 0;
  for (let i = 0; i < values.length; i++) {
    if (inclusion[i] < 1) {
      weight += 1 - inclusion[i];
      weighted += ((1 - inclusion[i]) * values[i]) / inclusion[i];
    }
  }
  return weight > 0 ? weighted / weight : 0;
}

/**
 * Variance of `estimateTotal` for a sample of fixed size with unequal probabilities (Hajek's approximation). With
 * e_i = y_i / pi_i, q_i = 1 - pi_i and beta = sum q e / sum q over the n uncertain items:
 *
 *     v_i = q_i (e_i - beta)^2,   H = sum v_i,   Var = n / (n - 1) H.
 *
 * Where the uncertain items have no spread at all, or there are none, it is 0.
 */
export function varianceOfTotal({ values, inclusion }: Stratum): Variance {
  const beta = meanOfUncertain({ values, inclusion });
  const v: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (inclusion[i] < 1) {
      v.push((1 - inclusion[i]) * (values[i] / inclusion[i] - beta) ** 2);
    }
  }
  return varianceOfItems(v);
}

/** The variance n / (n - 1) sum v_i. One item alone says nothing of its spread: Infinity. */
export function varianceOfItems(v: readonly number[]): Variance {
  let spread = 0;
  let squares = 0;
  let largest = 0;
  for (const each of v) {
    spread += each;
    squares += each * each;
    largest = Math.max(largest, each);
  }
  const items = v.length;
  const variance = items === 0 ? 0 : items === 1 ? Number.POSITIVE_INFINITY : (items / (items - 1)) * spread;
  return { variance, spread, spreadOfSpread: items === 0 ? 0 : squares - spread ** 2 / items, largest, items };
}

/** Error of `estimateTotal`, summed over independent strata. */
export function errorOfTotal(strata: readonly Stratum[]): TotalError {
  return errorOfSum(strata.map(varianceOfTotal));
}

/**
 * Error of a sum of estimates that are independent of each other:
 *
 *     Var = sum of variances,   df = 2 H^2 / sum (sum v_i^2 - H^2 / n) in [2, items - terms].
 *
 * Unreliable: fewer than 30 uncertain items, df below 20, or one item that makes over a quarter of H.
 *
 * @param draws variances by the items drawn.
 * @param parts variances by the choice of what they were drawn from. Neither of the two makes up for too few of the other.
 */
export function errorOfSum(draws: readonly Variance[], parts: readonly Variance[] = []): TotalError {
  const terms = [...draws, ...parts].filter(({ items }) => items > 0);
  const sum = (list: readonly Variance[], of: (term: Variance) => number) =>
    list.reduce((total, term) => total + of(term), 0);
  const uncertain = sum(terms, ({ items }) => items);
  if (uncertain === 0) {
    return { standardError: 0, margin: 0, degreesOfFreedom: Number.POSITIVE_INFINITY, uncertain, reliable: true };
  }
  const variance = sum(terms, (term) => term.variance);
  const spread = sum(terms, (term) => term.spread);
  const spreadOfSpread = sum(terms, (term) => term.spreadOfSpread);
  const most = uncertain - terms.length;
  const satterthwaite = spreadOfSpread > 0 ? (2 * spread ** 2) / spreadOfSpread : most;
  const degreesOfFreedom = Math.max(2, Math.min(most, satterthwaite));
  const enough = [draws, parts].every((list) => {
    const items = sum(list, (term) => term.items);
    return items === 0 || items >= FEWEST_FOR_INTERVAL;
  });
  const standardError = Math.sqrt(variance);
  const largest = Math.max(...terms.map((term) => term.largest));
  return {
    standardError,
    margin: enough ? studentTQuantile(0.975, degreesOfFreedom) * standardError : Number.POSITIVE_INFINITY,
    degreesOfFreedom,
    uncertain,
    reliable: enough && degreesOfFreedom >= FEWEST_DEGREES && largest <= LARGEST_SHARE * spread,
  };
}
