/** A straight line through points, as far as it says where they are heading. */
export interface Slope {
  /** Rise of the fitted line a unit of x. */
  readonly slope: number;
  /** One standard error of `slope`; NaN without degrees of freedom. */
  readonly standardError: number;
  /** Number of points less 2. With t the quantile of Student's distribution, `slope` ± t `standardError` is an interval for it. */
  readonly degreesOfFreedom: number;
}

/**
 * The least-squares slope of y over x. With n points and means x̄ and ȳ,
 *
 *     Sxx = Σ (x - x̄)^2,   slope = Σ (x - x̄)(y - ȳ) / Sxx,
 *     standardError = sqrt( Σ (y - ȳ - slope (x - x̄))^2 / (n - 2) / Sxx ).
 *
 * NaN where all x are the same. (Draper and Smith, Applied Regression Analysis, 3rd edition, section 1.4.)
 */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): Slope {
  const n = points.length;
  const mean = (axis: 0 | 1) => points.reduce((sum, point) => sum + point[axis], 0) / n;
  const [xMean, yMean] = [mean(0), mean(1)];
  let sxx = 0;
  let sxy = 0;
  for (const [x, y] of points) {
    sxx += (x - xMean) ** 2;
    sxy += (x - xMean) * (y - yMean);
  }
  const slope = sxy / sxx;
  // From the residuals themselves: Syy - Sxy^2 / Sxx would cancel where the points lie on a line.
  const residuals = points.reduce((sum, [x, y]) => sum + (y - yMean - slope * (x - xMean)) ** 2, 0);
  const degreesOfFreedom = Math.max(0, n - 2);
  return { slope, standardError: Math.sqrt(residuals / degreesOfFreedom / sxx), degreesOfFreedom };
}
