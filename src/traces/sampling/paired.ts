import { errorOfSum, meanOfUncertain, type TotalError, varianceOfItems } from './horvitz-thompson.js';

/** What was drawn from a list, by place in it: each item has the same random number whoever draws. */
export interface DrawnValues {
  readonly places: readonly number[];
  /** y_i. */
  readonly values: readonly number[];
  /** pi_i. */
  readonly inclusion: readonly number[];
}

/**
 * Error of the difference of two totals, sum_i y_i / pi_i of either, whose items were drawn from one list with the same random numbers
 * (permanent random numbers: Ohlsson, "Coordination of samples using permanent random numbers", 1995), so that an item is in both
 * samples with probability min(pi_i, pi'_i). With e_i = y_i / pi_i - beta as in `varianceOfTotal`, each item drawn adds
 *
 *     v_i = (1 - pi_i) e_i^2 + (1 - pi'_i) e'_i^2 - 2 (1 - max(pi_i, pi'_i)) e_i e'_i,
 *
 * where just one has drawn it the term of that one. Of the same sample twice it is 0.
 */
export function errorOfDifference(one: DrawnValues, other: DrawnValues): TotalError {
  const [left, right] = [deviations(one), deviations(other)];
  const v: number[] = [];
  for (const [place, { pi, e }] of left) {
    const both = right.get(place);
    if (both === undefined) {
      v.push((1 - pi) * e ** 2);
      continue;
    }
    // The same without differences of what is nearly equal.
    const most = Math.max(pi, both.pi);
    v.push((1 - most) * (e - both.e) ** 2 + (most - pi) * e ** 2 + (most - both.pi) * both.e ** 2);
  }
  for (const [place, { pi, e }] of right) {
    if (!left.has(place)) {
      v.push((1 - pi) * e ** 2);
    }
  }
  return errorOfSum([varianceOfItems(v)]);
}

/** Of the items that are not certain: y_i / pi_i - beta. */
function deviations({ places, values, inclusion }: DrawnValues): Map<number, { pi: number; e: number }> {
  const beta = meanOfUncertain({ values, inclusion });
  return new Map(
    places.flatMap((place, i) => {
      const pi = inclusion[i];
      return pi < 1 ? [[place, { pi, e: values[i] / pi - beta }] as const] : [];
    }),
  );
}
