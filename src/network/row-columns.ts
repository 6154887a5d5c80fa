/*
 * The factor C of a loss's output Hessian (`OutputHessian`) for one row of outputs at a time, in plain numbers: once z has been read,
 * its columns c_r and their norms cost no operation of the device's, and have the digits of double precision. Nothing is made anew
 * for a row, since there are many.
 */

/** Numbers of a row: `all[from]` and those behind. */
export interface RowNumbers {
  all: ArrayLike<number>;
  from: number;
}

/** The columns of one row of outputs. Its numbers are z, [K], unless `OutputHessian` says otherwise. */
export interface RowColumns {
  /**
   * ||c_r||^2 of every column, and sum_i f_i c_{r,i}^2.
   *
   * @param outputs K.
   * @param factors f, [K]; null: none.
   * @param norms takes the first, [R].
   * @param moved takes the second, [R], where there are factors.
   */
  squaredNorms(
    row: RowNumbers,
    outputs: number,
    factors: RowNumbers | null,
    norms: Float64Array,
    moved: Float64Array,
  ): void;
  /** c_r, [K]. */
  column(row: RowNumbers, outputs: number, r: number): Float64Array;
}

/** p of the row that was looked at last. */
let probabilities = new Float64Array(16);

/** Fills `probabilities` with softmax(z). @returns the largest class. */
function softmax({ all, from }: RowNumbers, outputs: number): number {
  if (probabilities.length < outputs) {
    probabilities = new Float64Array(outputs);
  }
  const p = probabilities;
  let largest = 0;
  for (let j = 1; j < outputs; j++) {
    if (all[from + j] > all[from + largest]) {
      largest = j;
    }
  }
  const top = all[from + largest];
  let sum = 0;
  for (let j = 0; j < outputs; j++) {
    p[j] = Math.exp(all[from + j] - top);
    sum += p[j];
  }
  for (let j = 0; j < outputs; j++) {
    p[j] /= sum;
  }
  return largest;
}

/**
 * Softmax cross-entropy. With m = argmax p, u = sqrt(p_m), a = 1 / (1 + u) and k != m,
 *
 *     sum_i f_i c_{k,i}^2 = p_k [ f_k (1 - 2 a p_k) + f_m p_m + a^2 sum_{j != m} f_j p_j^2 ].
 *
 * Column r belongs to class r, or r + 1 from the largest class on.
 */
export const softmaxColumns: RowColumns = {
  squaredNorms(row, outputs, factors, norms, moved) {
    const largest = softmax(row, outputs);
    const p = probabilities;
    const a = 1 / (1 + Math.sqrt(p[largest]));
    const f = factors?.all;
    const at = factors?.from ?? 0;
    let rest = p[largest];
    let restOfMoved = f ? f[at + largest] * rest : 0;
    for (let j = 0; j < outputs; j++) {
      if (j !== largest) {
        const square = a * p[j] * (a * p[j]);
        rest += square;
        restOfMoved += f ? f[at + j] * square : 0;
      }
    }
    for (let r = 0; r < outputs - 1; r++) {
      const k = r < largest ? r : r + 1;
      const own = 1 - 2 * a * p[k];
      norms[r] = p[k] * (own + rest);
      if (f) {
        moved[r] = p[k] * (f[at + k] * own + restOfMoved);
      }
    }
  },
  column(row, outputs, r) {
    const largest = softmax(row, outputs);
    const p = probabilities;
    const k = r < largest ? r : r + 1;
    const root = Math.sqrt(p[k]);
    const a = 1 / (1 + Math.sqrt(p[largest]));
    const column = new Float64Array(outputs);
    for (let j = 0; j < outputs; j++) {
      column[j] = j === largest ? -root * Math.sqrt(p[j]) : -root * a * p[j];
    }
    column[k] += root;
    return column;
  },
};

/**
 * A diagonal output Hessian: column k is a root times e_k.
 *
 * @param square of the root, for z and the number of outputs.
 */
function diagonalColumns(square: (z: number, outputs: number) => number): RowColumns {
  return {
    squaredNorms({ all, from }, outputs, factors, norms, moved) {
      for (let k = 0; k < outputs; k++) {
        norms[k] = square(all[from + k], outputs);
        if (factors) {
          moved[k] = factors.all[factors.from + k] * norms[k];
        }
      }
    },
    column({ all, from }, outputs, r) {
      const column = new Float64Array(outputs);
      column[r] = Math.sqrt(square(all[from + r], outputs));
      return column;
    },
  };
}

/** p (1 - p) / K, which keeps its digits where p rounds to 1. */
export const sigmoidColumns = diagonalColumns((z, outputs) => {
  const e = Math.exp(-Math.abs(z));
  return e / (1 + e) ** 2 / outputs;
});

/** 2 / K; not a number where z is none. */
export const squaredErrorColumns = diagonalColumns((z, outputs) => (2 + 0 * z) / outputs);

/** Entries of a diagonal that are read themselves: [K]. */
export const givenDiagonal = diagonalColumns((entry) => entry);

/** Squared norms below this have no direction, as in tf.js. */
const SMALLEST_SQUARED_NORM = 1e-7;

/** u of the row that was looked at last. */
let direction = new Float64Array(16);

/** Fills `direction` with z / |z|. @returns the largest entry, and 1 / |z|^2, 0 where z is too short to have a direction. */
function normalize({ all, from }: RowNumbers, outputs: number): { largest: number; inverseSquare: number } {
  if (direction.length < outputs) {
    direction = new Float64Array(outputs);
  }
  let squares = 0;
  let largest = 0;
  for (let j = 0; j < outputs; j++) {
    squares += all[from + j] ** 2;
    if (Math.abs(all[from + j]) > Math.abs(all[from + largest])) {
      largest = j;
    }
  }
  const length = Math.sqrt(Math.max(squares, SMALLEST_SQUARED_NORM));
  for (let j = 0; j < outputs; j++) {
    direction[j] = all[from + j] / length;
  }
  // Not a number where z is none.
  return { largest, inverseSquare: squares <= SMALLEST_SQUARED_NORM ? 0 : 1 / squares };
}

/**
 * The cosine. With u = z / |z|, m the largest |u_k|, s its sign, v = (u + s e_m) / (1 + |u_m|) and k != m, all columns are of one
 * length, and
 *
 *     sum_i f_i c_{k,i}^2 = [ f_k (1 - 2 u_k v_k) + u_k^2 sum_i f_i v_i^2 ] / |z|^2.
 *
 * Column r belongs to output r, or r + 1 from the largest on.
 */
export const sphereColumns: RowColumns = {
  squaredNorms(row, outputs, factors, norms, moved) {
    const { largest, inverseSquare } = normalize(row, outputs);
    const u = direction;
    const f = factors?.all;
    const at = factors?.from ?? 0;
    const scale = 1 + Math.abs(u[largest]);
    // v_m is the sign itself.
    let sum = f ? f[at + largest] : 0;
    for (let j = 0; f && j < outputs; j++) {
      sum += j === largest ? 0 : f[at + j] * (u[j] / scale) ** 2;
    }
    for (let r = 0; r < outputs - 1; r++) {
      const k = r < largest ? r : r + 1;
      norms[r] = inverseSquare;
      if (f) {
        moved[r] = inverseSquare * (f[at + k] * (1 - (2 * u[k] ** 2) / scale) + u[k] ** 2 * sum);
      }
    }
  },
  column(row, outputs, r) {
    const { largest, inverseSquare } = normalize(row, outputs);
    const u = direction;
    const root = Math.sqrt(inverseSquare);
    const k = r < largest ? r : r + 1;
    const scale = 1 + Math.abs(u[largest]);
    const sign = u[largest] < 0 ? -1 : 1;
    const column = new Float64Array(outputs);
    for (let j = 0; j < outputs; j++) {
      column[j] = -root * u[k] * (j === largest ? sign : u[j] / scale);
    }
    column[k] += root;
    return column;
  },
};

/** Columns that are read themselves, one after the other: [R K]. */
export const givenColumns: RowColumns = {
  squaredNorms({ all, from }, outputs, factors, norms, moved) {
    for (let r = 0; r < norms.length; r++) {
      let sum = 0;
      let sumOfMoved = 0;
      for (let i = 0; i < outputs; i++) {
        const square = all[from + r * outputs + i] ** 2;
        sum += square;
        sumOfMoved += factors ? factors.all[factors.from + i] * square : 0;
      }
      norms[r] = sum;
      moved[r] = sumOfMoved;
    }
  },
  column: ({ all, from }, outputs, r) => Float64Array.from({ length: outputs }, (_, i) => all[from + r * outputs + i]),
};
