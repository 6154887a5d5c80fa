/** A weight matrix [rows, columns], row by row, and what the loss has of it. */
export interface NormalizedMatrix {
  readonly rows: number;
  readonly columns: number;
  /** W_ij. */
  readonly weights: ArrayLike<number>;
  /** H_ij, at least 0: the second derivative of the loss by W_ij, or the diagonal of the Gauss-Newton matrix. */
  readonly curvature: ArrayLike<number>;
}

/** Of a sum: a change below this, in a sweep over rows and columns, is rounding. */
const ROUNDING = 1e-15;
const MOST_SWEEPS = 100_000;

/**
 * Normalized sharpness of weight matrices: for each, over positive factors s of its rows and t of its columns,
 *
 *     min over s, t of  sqrt( (sum_ij H_ij s_i^2 t_j^2) (sum_ij W_ij^2 / (s_i^2 t_j^2)) ),
 *
 * summed over the matrices (Tsuzuku, Sato, Sugiyama, "Normalized Flat Minima: Exploring Scale Invariant Definition of Flat Minima for Neural
 * Networks Using PAC-Bayesian Analysis", arXiv 1901.04653). It is convex in the logarithms of the factors; each row, then each column, goes to
 * its own minimum, until nothing changes but rounding. Scaling rows or columns of a matrix, with the curvature that goes with it, does not change it:
 * so it is the same however the units of a network are rescaled.
 *
 * @returns an infimum where no factors attain it: rows or columns without weights or without curvature count 0.
 * @throws RangeError with one line for a matrix that has not rows times columns numbers, for one that is not finite, and for negative curvature.
 */
export function normalizedSharpness(matrices: readonly NormalizedMatrix[]): number {
  return matrices.reduce((sum, matrix, i) => sum + ofMatrix(matrix, i), 0);
}

function ofMatrix({ rows, columns, weights, curvature }: NormalizedMatrix, place: number): number {
  const size = rows * columns;
  for (const [name, list] of [
    ['weights', weights],
    ['curvature', curvature],
  ] as const) {
    if (list.length !== size) {
      throw new RangeError(
        `normalizedSharpness: matrix ${place} has ${list.length} ${name}: pass ${rows} x ${columns}, row by row.`,
      );
    }
  }
  for (let i = 0; i < size; i++) {
    if (!Number.isFinite(weights[i]) || !(curvature[i] >= 0 && curvature[i] < Number.POSITIVE_INFINITY)) {
      throw new RangeError(
        `normalizedSharpness: matrix ${place} has the weight ${weights[i]} with curvature ${curvature[i]}: both must be finite, and curvature at least 0.`,
      );
    }
  }
  // Squared factors; the two sums are made equal by the last step of each sweep, so that half of their sum is the root of their product.
  const s = new Float64Array(rows).fill(1);
  const t = new Float64Array(columns).fill(1);
  let last = Number.POSITIVE_INFINITY;
  for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
    balance(s, rows, (i, add) => {
      for (let j = 0; j < columns; j++) {
        const at = i * columns + j;
        add(curvature[at], weights[at] ** 2, t[j]);
      }
    });
    const value = balance(t, columns, (j, add) => {
      for (let i = 0; i < rows; i++) {
        const at = i * columns + j;
        add(curvature[at], weights[at] ** 2, s[i]);
      }
    });
    if (!(last - value > ROUNDING * value)) {
      return value;
    }
    last = value;
  }
  return last;
}

/** Gives each factor f its best value, sqrt(b / a) for a f + b / f, and returns the sum of all sqrt(a b). */
function balance(
  factors: Float64Array,
  count: number,
  each: (index: number, add: (h: number, w: number, other: number) => void) => void,
): number {
  let sum = 0;
  for (let k = 0; k < count; k++) {
    let a = 0;
    let b = 0;
    each(k, (h, w, other) => {
      // Where a factor goes to a limit, what is 0 stays 0.
      a += h === 0 || other === 0 ? 0 : h * other;
      b += w === 0 ? 0 : w / other;
    });
    factors[k] = a > 0 ? Math.sqrt(b / a) : Number.POSITIVE_INFINITY;
    sum += a > 0 ? Math.sqrt(a * b) : 0;
  }
  return sum;
}
