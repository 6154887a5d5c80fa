import { type Stratum, type Variance, varianceOfItems, varianceOfTotal } from './horvitz-thompson.js';

/** A random part of a population's elements, each with items of its own, of which some were drawn. */
export interface Part {
  /** N, elements of the population. */
  readonly population: number;
  /** Elements of the part, n, with what is known of each: c_n. */
  readonly known: ArrayLike<number>;
  /** Items drawn from those of the part's elements. */
  readonly drawn: Stratum;
  /** The element that each item drawn belongs to. */
  readonly elementOf: ArrayLike<number>;
}

/**
 * What the choice of the part adds to the variance of (N / n) sum_n y_n, where y_n = c_n + the sum of the element's items: two-phase
 * sampling (Sarndal, Swensson, Wretman, "Model Assisted Survey Sampling", 1992, chapter 9), the first phase at random
 * without replacement,
 *
 *     V_1 = N^2 (1 - n/N) S^2 / n,   S^2 = sum_n (y_n - ybar)^2 / (n - 1).
 *
 * The y_n are not known, only estimates y^_n = c_n + sum t / pi over the items drawn, whose squares are too large by their own
 * variance. As good as unbiased, with u_n = sum t / pi and items drawn nearly independently:
 *
 *     y_n^2 ~ (c_n + u_n)^2 - sum (1 - pi) t^2 / pi^2,   (n ybar)^2 ~ (sum y^_n)^2 - Var(sum y^_n),
 *
 * so that v_n = N/n (N/n - 1) [y_n^2 - 2 ybar y^_n + ybar^2 + Var / n^2] takes the place of a known item's part of the variance.
 */
export function varianceOfPart({ population, known, drawn, elementOf }: Part): Variance {
  const n = known.length;
  const estimates = Float64Array.from(known);
  const own = new Float64Array(n);
  for (let i = 0; i < drawn.values.length; i++) {
    const [t, pi] = [drawn.values[i], drawn.inclusion[i]];
    estimates[elementOf[i]] += t / pi;
    own[elementOf[i]] += ((1 - pi) * t * t) / (pi * pi);
  }
  const mean = estimates.reduce((sum, y) => sum + y, 0) / n;
  const ofDraw = varianceOfTotal(drawn).variance;
  const ofMean = Number.isFinite(ofDraw) ? ofDraw / (n * n) : 0;
  const scale = (population / n) * (population / n - 1);
  const v = Array.from(estimates, (y, i) => scale * ((y - mean) ** 2 - own[i] + ofMean));
  const found = varianceOfItems(scale > 0 ? v : []);
  // An estimate, which may fall below 0 where the elements hardly differ.
  return found.variance < 0 ? { ...found, variance: 0, spread: 0 } : found;
}
