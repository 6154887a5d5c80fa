import { uniforms } from '../sampling/uniform.js';

/** An eigenvalue of a symmetric matrix with its eigenvector of length 1. */
export interface Eigenpair {
  readonly value: number;
  readonly vector: Float64Array;
  /** By how much `value` may be too low, since the iteration has ended: about ||K u - lambda u||^2 over the distance to the next ones. */
  readonly shortfall: number;
}

/** Residuals ||K u - lambda u|| below this part of lambda are none: it is right to about the square of that over its distance to the next. */
const TOLERANCE = 1e-3;
/** Of the largest eigenvalue, or of the trace: what is smaller may be rounding alone, in matrices of float32 products. */
export const ROUNDING = 2 ** -24;
/** Below this part of its length, what is left of a vector beside a basis is rounding. */
const INDEPENDENT = 1e-10;
/** Smaller matrices are diagonalised as a whole. */
const SMALL = 48;

/**
 * The `count` largest eigenvalues of a symmetric positive semidefinite matrix, by falling value, by Rayleigh and Ritz in a block Krylov
 * space: V, K V, K^2 V, ... with a few vectors more in V than eigenvalues are wanted, so that those of several dimensions
 * come as often as they are there. All vectors are kept orthogonal, so that it is as accurate as float64 is. It costs
 * some dozens of products with K, and some hundreds where eigenvalues fall slowly.
 *
 * Golub, Van Loan, "Matrix Computations", 4th ed., 10.3.6.
 *
 * @param matrix [size, size], row by row.
 * @param beside how many more to give, as near to their limits as they have come by then.
 * @returns fewer where the matrix is smaller.
 */
export function topEigenpairs(matrix: Float64Array, size: number, count: number, beside = 0): Eigenpair[] {
  const wanted = Math.min(count, size);
  const given = Math.min(count + beside, size);
  if (size <= SMALL) {
    return jacobi(matrix.slice(), size)
      .slice(0, given)
      .map((pair) => ({ ...pair, shortfall: 0 }));
  }
  const block = wanted + 3;
  const uniform = uniforms(0);
  const basis: Float64Array[] = [];
  const products: Float64Array[] = [];
  let next = Array.from({ length: Math.min(block, size) }, (_, b) =>
    Float64Array.from({ length: size }, (_, i) => uniform(b * size + i) - 0.5),
  );
  for (let nextLook = 3 * block; ; ) {
    const first = basis.length;
    for (const vector of next) {
      if (basis.length < size && orthonormalize(vector, basis)) {
        basis.push(vector);
      }
    }
    const added = times(matrix, size, basis.slice(first));
    products.push(...added);
    const isComplete = added.length === 0 || basis.length === size;
    if (isComplete || basis.length >= nextLook) {
      const found = ritzPairs(basis, products, given);
      const largest = found[0].value;
      const isFound = ({ value, residual }: (typeof found)[number]) =>
        residual <= Math.max(TOLERANCE * value, ROUNDING * largest);
      if (isComplete || found.slice(0, wanted).every(isFound)) {
        return found.map(({ value, vector }, j) => ({ value, vector, shortfall: shortfallOf(found, j) }));
      }
      nextLook = basis.length + 2 * block;
    }
    next = added.map((product) => product.slice());
  }
}

interface RitzPair extends Omit<Eigenpair, 'shortfall'> {
  /** ||K u - lambda u||. */
  readonly residual: number;
}

/**
 * A value of Rayleigh and Ritz is never too high. Those that their residuals do not keep apart are taken together: all of them are too low by
 * no more than R^2 / gap, with the residuals' root sum of squares R and the distance to the next one, and by no more than R.
 *
 * Parlett, "The Symmetric Eigenvalue Problem", 11.7.
 */
function shortfallOf(found: readonly RitzPair[], j: number): number {
  const isApart = (one: RitzPair, other: RitzPair) => Math.abs(one.value - other.value) > one.residual + other.residual;
  let [first, next] = [j, j + 1];
  while (first > 0 && !isApart(found[first - 1], found[first])) {
    first--;
  }
  while (next < found.length && !isApart(found[next - 1], found[next])) {
    next++;
  }
  const all = Math.hypot(...found.slice(first, next).map(({ residual }) => residual));
  const gap = next < found.length ? found[next - 1].value - found[next].value : 0;
  return gap > all ? all ** 2 / gap : all;
}

/** The eigenvalues in the space of a basis, K's products with which are known. */
function ritzPairs(basis: readonly Float64Array[], products: readonly Float64Array[], count: number): RitzPair[] {
  const size = basis.length;
  const projected = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      projected[i * size + j] = dot(basis[i], products[j]);
      projected[j * size + i] = projected[i * size + j];
    }
  }
  return jacobi(projected, size)
    .slice(0, count)
    .map(({ value, vector: ofBasis }) => {
      const combination = (vectors: readonly Float64Array[]) => {
        const sum = new Float64Array(vectors[0].length);
        vectors.forEach((each, i) => {
          addMultiple(sum, ofBasis[i], each);
        });
        return sum;
      };
      const vector = combination(basis);
      const rest = combination(products);
      addMultiple(rest, -value, vector);
      return { value, vector, residual: Math.sqrt(dot(rest, rest)) };
    });
}

/**
 * All eigenpairs by falling value, by Jacobi's rotations (Golub, Van Loan, 8.5.3).
 *
 * @param a [size, size], symmetric; it is overwritten.
 */
function jacobi(a: Float64Array, size: number): Omit<Eigenpair, 'shortfall'>[] {
  // Row by row, the eigenvectors.
  const v = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    v[i * size + i] = 1;
  }
  for (let sweep = 0; sweep < 60; sweep++) {
    let beside = 0;
    let all = 0;
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        all += a[i * size + j] ** 2;
        beside += i === j ? 0 : a[i * size + j] ** 2;
      }
    }
    if (beside <= 1e-24 * all) {
      break;
    }
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) {
        if (a[p * size + q] ** 2 > (1e-26 * all) / size ** 2) {
          rotate(a, v, size, p, q);
        }
      }
    }
  }
  return Array.from({ length: size }, (_, i) => ({
    value: a[i * size + i],
    vector: v.slice(i * size, (i + 1) * size),
  })).sort((one, other) => other.value - one.value);
}

/** The rotation of rows and columns p and q that makes a_pq 0. */
function rotate(a: Float64Array, v: Float64Array, size: number, p: number, q: number): void {
  const apq = a[p * size + q];
  const tau = (a[q * size + q] - a[p * size + p]) / (2 * apq);
  const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.hypot(1, tau));
  const c = 1 / Math.hypot(1, t);
  const s = t * c;
  for (let k = 0; k < size; k++) {
    const [kp, kq] = [a[k * size + p], a[k * size + q]];
    a[k * size + p] = c * kp - s * kq;
    a[k * size + q] = s * kp + c * kq;
  }
  for (const rows of [a, v]) {
    for (let k = 0; k < size; k++) {
      const [pk, qk] = [rows[p * size + k], rows[q * size + k]];
      rows[p * size + k] = c * pk - s * qk;
      rows[q * size + k] = s * pk + c * qk;
    }
  }
}

/** Makes a vector orthogonal to a basis, and its length 1. False where nothing is left of it. */
function orthonormalize(vector: Float64Array, basis: readonly Float64Array[]): boolean {
  const before = Math.sqrt(dot(vector, vector));
  // Once leaves rounding errors of what is taken away.
  for (let time = 0; time < 2; time++) {
    for (const each of basis) {
      addMultiple(vector, -dot(vector, each), each);
    }
  }
  const length = Math.sqrt(dot(vector, vector));
  if (!(length > INDEPENDENT * before)) {
    return false;
  }
  for (let i = 0; i < vector.length; i++) {
    vector[i] /= length;
  }
  return true;
}

/** K v of some vectors, four of which go through the matrix together. */
function times(matrix: Float64Array, size: number, vectors: readonly Float64Array[]): Float64Array[] {
  const products = vectors.map(() => new Float64Array(size));
  for (let first = 0; first < vectors.length; first += 4) {
    // Where fewer are left, the last one is taken again.
    const at = [0, 1, 2, 3].map((k) => Math.min(first + k, vectors.length - 1));
    const [a, b, c, d] = at.map((place) => vectors[place]);
    const [ofA, ofB, ofC, ofD] = at.map((place) => products[place]);
    for (let i = 0; i < size; i++) {
      let sumA = 0;
      let sumB = 0;
      let sumC = 0;
      let sumD = 0;
      for (let j = 0, place = i * size; j < size; j++, place++) {
        const entry = matrix[place];
        sumA += entry * a[j];
        sumB += entry * b[j];
        sumC += entry * c[j];
        sumD += entry * d[j];
      }
      ofA[i] = sumA;
      ofB[i] = sumB;
      ofC[i] = sumC;
      ofD[i] = sumD;
    }
  }
  return products;
}

function addMultiple(sum: Float64Array, factor: number, vector: Float64Array): void {
  for (let i = 0; i < sum.length; i++) {
    sum[i] += factor * vector[i];
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    sum += a[i] * b[i];
  }
  return sum;
}
