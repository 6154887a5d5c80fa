/** An exponential moving average at one point of time, with the variance of its error. */
export interface Average {
  readonly value: number;
  /** Squared standard error of `value`, if the errors of the averaged numbers are independent. */
  readonly variance: number;
  /** Numbers averaged so far. */
  readonly count: number;
}

/**
 * The next average a_t of x_1, x_2, ... with smoothing factor b in [0, 1), corrected for the missing past as in Adam (Kingma
 * and Ba, arXiv 1412.6980, section 3):
 *
 *     a_t = (1 - b) / (1 - b^t) sum_i b^(t - i) x_i        b = 0: a_t = x_t
 *
 * A number that is not finite makes the average so too; the averages after it can go on from `before`.
 *
 * @param before the average so far; undefined at the first number
 * @param standardError one standard error of x, in units of x
 */
export function nextAverage(before: Average | undefined, x: number, standardError: number, factor: number): Average {
  const variance = standardError ** 2;
  if (before === undefined) {
    return { value: x, variance, count: 1 };
  }
  const count = before.count + 1;
  const share = (1 - factor) / (1 - factor ** count);
  return {
    value: (1 - share) * before.value + share * x,
    variance: (1 - share) ** 2 * before.variance + share ** 2 * variance,
    count,
  };
}

/**
 * One standard error of the difference of two averages of the same numbers. The later one holds the share
 * r = b^(t - s) (1 - b^s) / (1 - b^t) of the earlier one, so that their covariance is r times the variance of the earlier.
 */
export function differenceError(later: Average, earlier: Average, factor: number): number {
  const ages = later.count - earlier.count;
  const share = (factor ** ages * (1 - factor ** earlier.count)) / (1 - factor ** later.count);
  // Rounding may leave a little less than 0 where both averages are nearly the same.
  return Math.sqrt(Math.max(0, later.variance + (1 - 2 * share) * earlier.variance));
}
