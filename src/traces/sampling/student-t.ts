/** ln Gamma(x) for x > 0: the recurrence takes x above 10, where Stirling's series is exact to rounding (DLMF 5.11.1). */
function logGamma(x: number): number {
  let shift = 0;
  let y = x;
  for (; y < 10; y++) {
    shift += Math.log(y);
  }
  const square = y * y;
  const series = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / 1680 / square) / square) / square) / y;
  return (y - 0.5) * Math.log(y) - y + Math.log(2 * Math.PI) / 2 + series - shift;
}

/** Regularised incomplete beta function I_x(a, b). */
function incompleteBeta(x: number, a: number, b: number): number {
  return x > (a + 1) / (a + b + 2) ? 1 - continuedFraction(1 - x, b, a) : continuedFraction(x, a, b);
}

/** I_x(a, b) by its continued fraction (DLMF 8.17.22), evaluated by Lentz's method; fast for x < (a + 1) / (a + b + 2). */
function continuedFraction(x: number, a: number, b: number): number {
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  const tiny = 1e-300;
  let c = Number.POSITIVE_INFINITY;
  let d = 1;
  let fraction = 1;
  for (let i = 1; i < 1000; i++) {
    const m = i >> 1;
    const term =
      i % 2 === 0
        ? (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
        : (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + term * d || tiny);
    c = 1 + term / c || tiny;
    fraction *= c * d;
    if (Math.abs(c * d - 1) < 1e-15) {
      break;
    }
  }
  return front * fraction;
}

/** P(T <= t) for Student's t with `degrees` > 0 degrees of freedom, whole or not, and t >= 0. */
export function studentT(t: number, degrees: number): number {
  return 1 - incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2;
}

/**
 * Quantile of Student's t distribution.
 *
 * @param probability of [0.5, 1).
 * @param degrees degrees of freedom, whole or not, above 0; Infinity gives the normal quantile to 8 digits.
 */
export function studentTQuantile(probability: number, degrees: number): number {
  const finite = Math.min(degrees, 1e8);
  let low = 0;
  let high = 1;
  while (studentT(high, finite) < probability) {
    low = high;
    high *= 2;
  }
  while (high - low > 1e-13 * high) {
    const middle = (low + high) / 2;
    if (studentT(middle, finite) < probability) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return (low + high) / 2;
}
