/** Coefficients or coordinates. */
export type Vector = ArrayLike<number>;

/**
 * Orthonormal basis of the span of some vectors, by Gram-Schmidt with reorthogonalisation.
 *
 * `carried[i]` goes through the same combinations as `vectors[i]`: with the unit vectors it becomes the coefficients
 * that make the basis from the vectors. A vector of which less than 1e-9 is left counts as a combination of those before
 * it, which is meant for vectors of small integers, not for graded ones.
 */
export function orthonormalize(
  vectors: readonly Vector[],
  carried: readonly Vector[] = vectors,
): { basis: Float64Array[]; carried: Float64Array[] } {
  const basis: Float64Array[] = [];
  const combined: Float64Array[] = [];
  vectors.forEach((vector, index) => {
    const rest = Float64Array.from(vector);
    const along = Float64Array.from(carried[index]);
    for (let pass = 0; pass < 2; pass++) {
      basis.forEach((direction, j) => {
        const length = dot(rest, direction);
        addTo(rest, direction, -length);
        addTo(along, combined[j], -length);
      });
    }
    const length = norm(rest);
    if (length > 1e-9 * norm(vector)) {
      basis.push(rest.map((c) => c / length));
      combined.push(along.map((c) => c / length));
    }
  });
  return { basis, carried: combined };
}

/**
 * A column counts as a combination of others when less than this is left of it. Rounding errors are 1e-16, and as weights
 * are squares of the rows' factors, a gradient knows nothing of what is below the root of that.
 */
const NOISE = 1e-7;

/**
 * Least-squares solution x of A x = b by Householder reflections with column pivoting.
 *
 * Rows may differ by many orders of magnitude: handed over with the largest first, each keeps its own relative accuracy
 * (Cox and Higham, 1998, "Stability of Householder QR factorization for weighted least squares problems"). Unknowns
 * whose column is, to rounding, a combination of others stay 0. Zeros of A cost nothing.
 *
 * @param rows A, overwritten.
 * @param values b, overwritten.
 */
export function leastSquares(rows: Float64Array[], values: Float64Array): { x: Float64Array; rank: number } {
  const height = rows.length;
  const width = rows[0]?.length ?? 0;
  const original = columnLengths(rows, width);
  const remaining = original.slice();
  const pivots: number[] = [];
  const dependent: number[] = [];
  const reflection = new Float64Array(height);
  const projections = new Float64Array(width);

  while (pivots.length < height) {
    let pivot = -1;
    for (let j = 0; j < width; j++) {
      if (remaining[j] > 0 && (pivot < 0 || remaining[j] > remaining[pivot])) {
        pivot = j;
      }
    }
    if (pivot < 0) {
      break;
    }
    // What is left of the column, against the multiples of earlier columns that were taken from it.
    const parts = backSubstitute(rows, pivots, (i) => rows[i][pivot], width);
    const cancelled = pivots.reduce((total, j) => total + Math.abs(parts[j]) * original[j], original[pivot]);
    if (remaining[pivot] <= NOISE * cancelled) {
      remaining[pivot] = 0;
      dependent.push(pivot);
      continue;
    }
    const k = pivots.length;
    pivots.push(pivot);

    const length = remaining[pivot];
    const diagonal = rows[k][pivot] > 0 ? -length : length;
    const touching: number[] = [];
    for (let i = k; i < height; i++) {
      reflection[i] = (rows[i][pivot] - (i === k ? diagonal : 0)) / length;
      if (reflection[i] !== 0) {
        touching.push(i);
      }
    }
    // |reflection|^2 / 2, without summing.
    const half = Math.abs(reflection[k]);
    projections.fill(0);
    let projection = 0;
    for (const i of touching) {
      const c = reflection[i] / half;
      const row = rows[i];
      for (let j = 0; j < width; j++) {
        projections[j] += c * row[j];
      }
      projection += c * values[i];
    }
    const touched: number[] = [];
    for (let j = 0; j < width; j++) {
      if (projections[j] !== 0 || rows[k][j] !== 0) {
        touched.push(j);
        remaining[j] = 0;
      }
    }
    for (const i of touching) {
      const c = reflection[i];
      const row = rows[i];
      for (const j of touched) {
        row[j] -= c * projections[j];
      }
      values[i] -= c * projection;
    }
    for (let i = k + 1; i < height; i++) {
      const row = rows[i];
      for (const j of touched) {
        remaining[j] += row[j] * row[j];
      }
    }
    for (const j of touched) {
      remaining[j] = Math.sqrt(remaining[j]);
    }
    for (const j of pivots) {
      remaining[j] = 0;
    }
    for (const j of dependent) {
      remaining[j] = 0;
    }
  }
  return { x: backSubstitute(rows, pivots, (i) => values[i], width), rank: pivots.length };
}

/** Solves the triangle that the rows form in the columns `pivots`; the other unknowns are 0. */
function backSubstitute(
  rows: readonly Float64Array[],
  pivots: readonly number[],
  value: (row: number) => number,
  width: number,
): Float64Array<ArrayBuffer> {
  const x = new Float64Array(width);
  for (let k = pivots.length - 1; k >= 0; k--) {
    const row = rows[k];
    let rest = value(k);
    for (let l = k + 1; l < pivots.length; l++) {
      rest -= row[pivots[l]] * x[pivots[l]];
    }
    x[pivots[k]] = rest / row[pivots[k]];
  }
  return x;
}

function columnLengths(rows: readonly Float64Array[], width: number): Float64Array {
  const squares = new Float64Array(width);
  for (const row of rows) {
    for (let j = 0; j < width; j++) {
      squares[j] += row[j] * row[j];
    }
  }
  return squares.map(Math.sqrt);
}

export function dot(a: Vector, b: Vector): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) {
    total += a[i] * b[i];
  }
  return total;
}

export function norm(a: Vector): number {
  return Math.sqrt(dot(a, a));
}

/** target += factor * vector, in place. */
export function addTo(target: Float64Array, vector: Vector, factor: number): void {
  if (factor === 0) {
    return;
  }
  for (let i = 0; i < target.length; i++) {
    target[i] += factor * vector[i];
  }
}
