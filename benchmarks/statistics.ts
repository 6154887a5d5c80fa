/** The value below which the given share of the values lies, between neighbours in proportion. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] as number;
  return below + (place - Math.floor(place)) * ((sorted[Math.ceil(place)] as number) - below);
}

export const median = (values: readonly number[]) => quantile(values, 0.5);

export const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Of a sample: the sum of squares over one less than their number. */
export function variance(values: readonly number[]): number {
  const center = mean(values);
  return values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1);
}

/** y = c x^exponent by least squares on the logarithms, with the exponent's standard error. */
export function powerLaw(points: readonly { readonly x: number; readonly y: number }[]) {
  const xs = points.map(({ x }) => Math.log(x));
  const ys = points.map(({ y }) => Math.log(y));
  const [xMean, yMean] = [mean(xs), mean(ys)];
  const spread = xs.reduce((sum, x) => sum + (x - xMean) ** 2, 0);
  const exponent = xs.reduce((sum, x, i) => sum + (x - xMean) * ((ys[i] as number) - yMean), 0) / spread;
  const residuals = xs.map((x, i) => (ys[i] as number) - yMean - exponent * (x - xMean));
  const left = residuals.reduce((sum, residual) => sum + residual ** 2, 0) / (points.length - 2);
  return { exponent, standardError: Math.sqrt(left / spread) };
}
