import { addTo, dot, leastSquares, norm, orthonormalize, type Vector } from './least-squares.js';
import { recession, surelyBounded } from './recession.js';

/** The infimum of a sum of exponentials, and where it lies. */
export interface ExponentialMinimum {
  /** inf over x of sum_b T_b exp(-2 g_b . x). */
  readonly value: number;
  /** g_b . x of each term at the optimum; `Infinity` where the term contributes nothing: it vanishes, or T_b = 0. */
  readonly exponents: readonly number[];
  /** Whether some x reaches the infimum; else terms with T_b > 0 vanish. */
  readonly attained: boolean;
  /** Another linear form's h . x at the optimum; +-`Infinity` where it grows without bound on the way there. */
  readonly limitOf: (form: Vector) => number;
  /** Newton steps taken. */
  readonly steps: number;
}

/**
 * Minimises the convex function sum_b T_b exp(-2 g_b . x) over x.
 *
 * Terms that some direction takes to 0 while it lets no other grow are dropped first (see `recession`): without them
 * the minimum is attained. What the remaining terms leave undetermined is chosen so that the g_b . x of all terms, those
 * without a T_b included, have the least sum of squares. The value is right to 1e-12 with T_b from 1e-20 to 1e20 in one
 * problem; parts of x that only terms below 1e-15 of the value know of are not.
 *
 * @param forms g_b, whose coefficients are small integers.
 * @param coefficients T_b >= 0 and finite.
 */
export function minimizeExponentials(forms: readonly Vector[], coefficients: readonly number[]): ExponentialMinimum {
  const unknowns = forms[0]?.length ?? 0;
  const constant = forms.map((form) => norm(form) === 0);
  const moving = forms.flatMap((_, b) => (coefficients[b] > 0 && !constant[b] ? [b] : []));

  let kept = moving;
  let directions: Float64Array[] = [];
  if (!connected(moving.map((b) => forms[b])).every(({ rows }) => surelyBounded(rows.map((i) => forms[moving[i]])))) {
    const { coordinates, point } = symmetricAxes(forms, unknowns);
    const found = recession(moving.map(coordinates));
    directions = found.directions.map(point);
    kept = moving.filter((_, i) => found.survives[i]);
  }

  let x = new Float64Array(unknowns);
  let steps = 0;
  let determined = 0;
  for (const { rows, columns } of connected(kept.map((b) => forms[b]))) {
    const part = newton(
      rows.map((i) => Float64Array.from(columns, (j) => forms[kept[i]][j])),
      rows.map((i) => Math.log(coefficients[kept[i]])),
    );
    columns.forEach((j, i) => {
      x[j] = part.x[i];
    });
    steps = Math.max(steps, part.steps);
    determined += part.rank;
  }
  if (determined < unknowns) {
    x = leastNorm(x, forms, kept);
  }

  const remains = new Set(kept);
  const exponents = forms.map((form, b) => (constant[b] ? 0 : remains.has(b) ? dot(form, x) : Infinity));
  const value = coefficients.reduce(
    (total, t, b) => total + (exponents[b] < Infinity && t > 0 ? Math.exp(Math.log(t) - 2 * exponents[b]) : 0),
    0,
  );
  const limitOf = (form: Vector) => {
    for (const direction of directions) {
      const speed = dot(form, direction);
      if (Math.abs(speed) > 1e-8 * norm(form) * norm(direction)) {
        return speed * Infinity;
      }
    }
    return dot(form, x);
  };
  return { value, exponents, attained: kept.length === moving.length, limitOf, steps };
}

/** Coordinates of x in which its length is the norm of all g_b . x, whatever unknowns the forms are written in. */
function symmetricAxes(forms: readonly Vector[], unknowns: number) {
  const columns = Array.from({ length: unknowns }, (_, j) => Float64Array.from(forms, (form) => form[j]));
  const units = columns.map((_, i) => new Float64Array(unknowns).fill(1, i, i + 1));
  const { basis, carried } = orthonormalize(columns, units);
  return {
    basis,
    /** g_b in these coordinates. */
    coordinates: (b: number) => Float64Array.from(basis, (column) => column[b]),
    /** The x that has these coordinates. */
    point: (y: Vector) => {
      const x = new Float64Array(unknowns);
      carried.forEach((axis, j) => {
        addTo(x, axis, y[j]);
      });
      return x;
    },
  };
}

/** The shortest point at which the kept terms have the values that they have at x. */
function leastNorm(x: Vector, forms: readonly Vector[], kept: readonly number[]): Float64Array<ArrayBuffer> {
  const { basis, coordinates, point } = symmetricAxes(forms, x.length);
  const values = Float64Array.from(forms, (form) => dot(form, x));
  const here = Float64Array.from(basis, (column) => dot(column, values));
  const shortest = new Float64Array(here.length);
  for (const direction of orthonormalize(kept.map(coordinates)).basis) {
    addTo(shortest, direction, dot(here, direction));
  }
  return point(shortest);
}

/** A problem that falls into parts is solved part by part, so that a small part becomes as exact as a large one. */
function connected(forms: readonly Vector[]): { rows: number[]; columns: number[] }[] {
  const parts: { rows: number[]; columns: Set<number> }[] = [];
  forms.forEach((form, row) => {
    const joined = { rows: [row], columns: new Set(Array.from(form, (_, j) => j).filter((j) => form[j] !== 0)) };
    for (let p = parts.length - 1; p >= 0; p--) {
      const { rows, columns } = parts[p];
      if ([...columns].some((j) => joined.columns.has(j))) {
        joined.rows.push(...rows);
        for (const j of columns) {
          joined.columns.add(j);
        }
        parts.splice(p, 1);
      }
    }
    parts.push(joined);
  });
  return parts.map(({ rows, columns }) => ({ rows, columns: [...columns].sort((a, b) => a - b) }));
}

/** Never reached with traces between 1e-300 and 1e300: it only makes sure that a training run is not held up. */
const MOST_STEPS = 60;
/**
 * Logarithm of the largest factor that a step changes a term by. Where terms are so small beside others that rounding makes their part
 * of a step, it may be 1e16.
 */
const FURTHEST = 20;

/**
 * Newton's method for sum_b exp(t_b - 2 g_b . x), whose minimum is attained.
 *
 * A term that is far too large loses only a factor e a Newton step, which is slow where terms differ by many powers of
 * ten. So the method starts from the least-squares fit of all t_b - 2 g_b . x to 0, and first minimises the sum of the
 * terms' powers with a small exponent, which doubles after every step until it is 1.
 *
 * A step d solves min sum_b w_b (1 - 2 g_b . d)^2, w_b = exp(t_b - 2 g_b . x), whose normal equations are Newton's.
 *
 * @param forms g_b.
 * @param logs t_b.
 */
function newton(forms: readonly Float64Array[], logs: readonly number[]) {
  const doubled = forms.map((form) => form.map((c) => 2 * c));
  const { x, rank } = leastSquares(
    doubled.map((row) => row.slice()),
    Float64Array.from(logs),
  );
  const residuals = () => logs.map((t, b) => t - dot(doubled[b], x));
  const start = residuals();
  const spread = Math.max(...start) - start.reduce((total, t) => total + t, 0) / start.length;
  let power = 2 / Math.max(2, spread);

  for (let steps = 1; ; steps++) {
    const scaled = residuals().map((t) => power * t);
    const top = Math.max(...scaled);
    const order = scaled.map((_, b) => b).sort((a, b) => scaled[b] - scaled[a]);
    const roots = order.map((b) => Math.exp((scaled[b] - top) / 2));
    const found = leastSquares(
      order.map((b, i) => doubled[b].map((c) => c * roots[i])),
      Float64Array.from(roots),
    ).x;
    const furthest = Math.max(...doubled.map((row) => Math.abs(dot(row, found))));
    const direction = furthest > FURTHEST ? found.map((c) => (c * FURTHEST) / furthest) : found;
    const changes = doubled.map((row) => dot(row, direction));
    addTo(x, direction, lineMinimum(scaled, changes) / power);

    const decrement = order.reduce((total, b, i) => total + (roots[i] * changes[b]) ** 2, 0);
    // Convergence is quadratic: the step just taken leaves a relative error of the order of the decrement's square.
    if ((power === 1 && decrement < 1e-14) || steps === MOST_STEPS) {
      return { x, rank, steps };
    }
    power = Math.min(1, 2 * power);
  }
}

/** Minimises sum_b exp(logs_b - s changes_b) over s > 0: takes s = 1 where that is good enough, else bisects. */
function lineMinimum(logs: readonly number[], changes: readonly number[]): number {
  const start = Math.max(...logs);
  const slope = (s: number) => {
    const moved = logs.map((t, b) => t - s * changes[b]);
    const top = Math.max(start, ...moved);
    return moved.reduce((total, t, b) => total - Math.exp(t - top) * changes[b], 0);
  };
  if (Math.abs(slope(1)) <= 0.1 * Math.abs(slope(0))) {
    return 1;
  }
  let low = 0;
  let high = 1;
  while (slope(high) < 0 && high < 1e6) {
    low = high;
    high *= 2;
  }
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (slope(middle) < 0) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return (low + high) / 2;
}
