import { expect, it } from 'vitest';
import { uniform } from '../../../src/traces/sampling/uniform.js';
import { topEigenpairs } from '../../../src/traces/spectrum/eigenpairs.js';

/** Q diag(values) Q^T with Q = a product of reflections, so that the eigenvalues are known. */
function matrixWith(values: readonly number[], seed: number): Float64Array {
  const size = values.length;
  const a = new Float64Array(size * size);
  values.forEach((value, i) => {
    a[i * size + i] = value;
  });
  for (let k = 0; k < 3; k++) {
    const v = Float64Array.from({ length: size }, (_, i) => uniform(seed, k * size + i) - 0.5);
    const square = v.reduce((sum, each) => sum + each * each, 0);
    for (const byRow of [true, false]) {
      const at = (i: number, j: number) => (byRow ? i * size + j : j * size + i);
      for (let j = 0; j < size; j++) {
        let dot = 0;
        for (let i = 0; i < size; i++) {
          dot += v[i]! * a[at(i, j)]!;
        }
        for (let i = 0; i < size; i++) {
          a[at(i, j)]! -= (2 * dot * v[i]!) / square;
        }
      }
    }
  }
  return a;
}

const spectra: Record<string, number[]> = {
  'falling slowly': Array.from({ length: 200 }, (_, i) => 1 / (1 + i / 40)),
  'falling fast': Array.from({ length: 150 }, (_, i) => 0.5 ** i),
  'of several dimensions each': Array.from({ length: 120 }, (_, i) => 10 - Math.floor(i / 4)),
  'all the same': Array.from({ length: 80 }, () => 3),
  'few above 0': Array.from({ length: 100 }, (_, i) => (i < 3 ? 5 - i : 0)),
  'nothing at all': Array.from({ length: 60 }, () => 0),
  'small, of any size': [3, 2, 2, 1e-9, 0],
  // As of inputs that are not centred.
  'one far above the others': Array.from({ length: 400 }, (_, i) => (i === 0 ? 1 : 1e-4 / (1 + i / 100))),
  'two very far above the others': Array.from({ length: 400 }, (_, i) => (i < 2 ? 1 : 1e-5 / (1 + i / 100))),
  'very small': Array.from({ length: 70 }, (_, i) => 1e-30 / (1 + i)),
};

it.each(Object.entries(spectra))('finds the largest eigenvalues: %s', (_, values) => {
  const size = values.length;
  const matrix = matrixWith(values, 4);
  const copy = matrix.slice();
  const found = topEigenpairs(matrix, size, 6);
  expect(matrix).toEqual(copy);
  const expected = [...values].sort((a, b) => b - a).slice(0, 6);
  expect(found.length).toBe(Math.min(6, size));
  const [largest] = expected as [number];
  found.forEach(({ value, vector, shortfall }, j) => {
    expect(Math.abs(value - expected[j]!)).toBeLessThanOrEqual(2e-4 * expected[j]! + 1e-14 * largest);
    expect(expected[j]! - value).toBeLessThanOrEqual(shortfall + 1e-14 * largest);
    expect(shortfall).toBeLessThanOrEqual(1e-2 * expected[j]! + 1e-14 * largest);
    expect(vector.reduce((sum, each) => sum + each * each, 0)).toBeCloseTo(1, 8);
    let most = 0;
    for (let i = 0; i < size; i++) {
      let product = 0;
      for (let k = 0; k < size; k++) {
        product += matrix[i * size + k]! * vector[k]!;
      }
      most = Math.max(most, Math.abs(product - value * vector[i]!));
    }
    expect(most).toBeLessThanOrEqual(1e-3 * value + 2 ** -24 * largest);
  });
});

it('is empty for an empty matrix', () => {
  expect(topEigenpairs(new Float64Array(0), 0, 3)).toEqual([]);
});
