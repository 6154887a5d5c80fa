import { checkWhole } from '../checks.js';
import { atOnce, type Walk } from '../network/walk.js';

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
const MOST_SWEEPS = 1000;
/** A sum that the last sweep still changes by more has not settled. */
const SETTLED = 1e-7;

/**
 * Normalized sharpness of weight matrices: for each, over positive factors s of its rows and t of its columns,
 *
 *     min over s, t of  sqrt( (sum_ij H_ij s_i^2 t_j^2) (sum_ij W_ij^2 / (s_i^2 t_j^2)) ),
 *
 * summed over the matrices (Tsuzuku, Sato, Sugiyama, "Normalized Flat Minima: Exploring Scale Invariant Definition of Flat Minima for Neural
 * Networks Using PAC-Bayesian Analysis", arXiv 1901.04653). It is convex in the logarithms of the factors; each row, then each column, goes to
 * its own minimum, until nothing changes but rounding, 1,000 times at most, without a turn of the event loop: some 10 ms a time for 784 x 512. Scaling rows or columns of a matrix, with the curvature that goes with it, does not change it:
 * so it is the same however the units of a network are rescaled.
 *
 * @returns an infimum where no factors attain it: rows or columns without weights or without curvature count 0.
 * @throws RangeError with one line for a matrix that has not rows times columns numbers, for one that is not finite, for negative curvature, where
 *   the last sweep still changes the value by more than one part in 10^7 (with entries that are next to 0), and where numbers on the way are
 *   not finite.
 */
export function normalizedSharpness(matrices: readonly NormalizedMatrix[]): number {
  return matrices.reduce(
    (sum, matrix, i) =>
      sum +
      atOnce(
        ofMatrix(matrix, `normalizedSharpness: matrix ${i}`, 'make weights and curvature that are next to 0 just 0'),
      ),
    0,
  );
}

/**
 * That of one matrix, sweep by sweep.
 *
 * @param matrix how messages call it, behind who was called.
 * @param mend what to do where it does not settle.
 * @throws RangeError with one line as `normalizedSharpness` does.
 */
export function* ofMatrix(
  { rows, columns, weights, curvature }: NormalizedMatrix,
  matrix: string,
  mend: string,
): Walk<number> {
  checkWhole(`${matrix}: rows`, rows, { atLeast: 0 });
  checkWhole(`${matrix}: columns`, columns, { atLeast: 0 });
  const size = rows * columns;
  for (const [name, list] of [
    ['weights', weights],
    ['curvature', curvature],
  ] as const) {
    if (list.length !== size) {
      throw new RangeError(`${matrix} has ${list.length} ${name}: pass ${rows} x ${columns}, row by row.`);
    }
  }
  for (let i = 0; i < size; i++) {
    if (!Number.isFinite(weights[i]) || !(curvature[i] >= 0 && curvature[i] < Number.POSITIVE_INFINITY)) {
      throw new RangeError(
        `${matrix} has the weight ${weights[i]} with curvature ${curvature[i]}: both must be finite, and curvature at least 0.`,
      );
    }
  }
  const h = Float64Array.from(curvature);
  // Beside the largest: its square may leave the range of numbers.
  let largest = 0;
  for (let i = 0; i < size; i++) {
    largest = Math.max(largest, Math.abs(weights[i]));
  }
  const w = Float64Array.from(weights, (weight) => (weight / (largest || 1)) ** 2);
  dropVanishing(h, w, rows, columns);
  // Squared factors; the two sums are made equal by the last step of each sweep, so that half of their sum is the root of their product.
  const s = new Float64Array(rows).fill(1);
  const t = new Float64Array(columns).fill(1);
  let last = Number.POSITIVE_INFINITY;
  for (let sweep = 1; ; sweep++) {
    balance(s, rows, (i, add) => {
      for (let j = 0; j < columns; j++) {
        const at = i * columns + j;
        add(h[at], w[at], t[j]);
      }
    });
    const value = balance(t, columns, (j, add) => {
      for (let i = 0; i < rows; i++) {
        const at = i * columns + j;
        add(h[at], w[at], s[i]);
      }
    });
    if (!Number.isFinite(largest * value)) {
      throw new RangeError(`${matrix} leaves the range of numbers on the way: ${mend}.`);
    }
    if (!(last - value > ROUNDING * value) || (sweep >= MOST_SWEEPS && last - value <= SETTLED * value)) {
      return largest * value;
    }
    if (sweep >= MOST_SWEEPS) {
      throw new RangeError(`${matrix} has not settled after ${MOST_SWEEPS} sweeps: ${mend}.`);
    }
    last = value;
    yield;
  }
}

/**
 * Makes 0 what factors can make as small as they like without making anything else larger: that never gets to its minimum. With log t counted
 * down, H_ij grows with the factor of row i and falls with that of column j, W_ij the other way: arrows from row to column and back. Those
 * that lie on no cycle, between two strongly connected components, vanish as the components move apart.
 */
function dropVanishing(h: Float64Array, w: Float64Array, rows: number, columns: number): void {
  const nodes = rows + columns;
  /** Gives every node in turn, each after all that it leads to and that had not been met, with the node that the walk began at. */
  const walk = (
    starts: Iterable<number>,
    fromRow: Float64Array,
    fromColumn: Float64Array,
    leave: (node: number, start: number) => void,
  ) => {
    const met = new Uint8Array(nodes);
    const next = new Uint32Array(nodes);
    for (const start of starts) {
      const open = met[start] ? [] : [start];
      met[start] = 1;
      while (open.length > 0) {
        const node = open[open.length - 1];
        const isRow = node < rows;
        const k = next[node]++;
        if (k === (isRow ? columns : rows)) {
          leave(node, start);
          open.pop();
          continue;
        }
        const to = isRow ? rows + k : k;
        const arrow = isRow ? fromRow[node * columns + k] : fromColumn[k * columns + node - rows];
        if (arrow > 0 && !met[to]) {
          met[to] = 1;
          open.push(to);
        }
      }
    }
  };
  // Kosaraju's algorithm: backwards from the node that was left last, one meets its component and no other.
  const left: number[] = [];
  walk(new Uint32Array(nodes).keys(), h, w, (node) => left.push(node));
  const component = new Uint32Array(nodes);
  walk(left.reverse(), w, h, (node, start) => {
    component[node] = start;
  });
  for (let at = 0; at < rows * columns; at++) {
    if (component[Math.floor(at / columns)] !== component[rows + (at % columns)]) {
      h[at] = 0;
      w[at] = 0;
    }
  }
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
      a += h * other;
      b += w / other;
    });
    // With one of the sums goes the other: what is left lies on a cycle.
    factors[k] = a > 0 ? Math.sqrt(b / a) : 1;
    sum += Math.sqrt(a * b);
  }
  return sum;
}
