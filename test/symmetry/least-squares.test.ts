import { describe, expect, it } from 'vitest';
import { addTo, dot, leastSquares, norm, orthonormalize } from '../../src/symmetry/least-squares.js';
import { lcg } from '../measure/golden-network.js';

const rowsOf = (matrix: readonly (readonly number[])[]) => matrix.map((row) => Float64Array.from(row));

describe('vectors', () => {
  it('have products and lengths, and are added in place', () => {
    expect(dot([1, 2], [3, -1])).toBe(1);
    expect(norm([3, -4])).toBe(5);
    const target = Float64Array.of(1, 2);
    addTo(target, [10, 20], 0.5);
    expect([...target]).toEqual([6, 12]);
  });
});

describe('orthonormalize', () => {
  const vectors = [
    [1, 1, 0],
    [2, 2, 0],
    [0, 1, 1],
  ];

  it('makes an orthonormal basis, without vectors that depend on those before', () => {
    const { basis } = orthonormalize(vectors);
    expect(basis).toHaveLength(2);
    basis.forEach((a, i) => {
      basis.forEach((b, j) => {
        expect(dot(a, b)).toBeCloseTo(i === j ? 1 : 0, 14);
      });
    });
    for (const vector of vectors) {
      const rest = Float64Array.from(vector);
      for (const direction of basis) {
        addTo(rest, direction, -dot(vector, direction));
      }
      expect(norm(rest)).toBeLessThan(1e-14);
    }
  });

  it('carries the coefficients that make the basis from the vectors', () => {
    const units = vectors.map((_, i) => vectors.map((_each, j) => (i === j ? 1 : 0)));
    const { basis, carried } = orthonormalize(vectors, units);
    basis.forEach((direction, i) => {
      const made = new Float64Array(3);
      vectors.forEach((vector, j) => {
        addTo(made, vector, carried[i]![j]!);
      });
      made.forEach((c, k) => {
        expect(c).toBeCloseTo(direction[k]!, 14);
      });
    });
  });
});

describe('leastSquares', () => {
  it('leaves a residual orthogonal to every column', () => {
    const [height, width] = [7, 3];
    const random = lcg(4, height * (width + 1)).map((u) => u - 0.5);
    const matrix = Array.from({ length: height }, (_, i) => random.slice(i * width, (i + 1) * width));
    const values = random.slice(height * width);
    const { x, rank } = leastSquares(rowsOf(matrix), Float64Array.from(values));
    expect(rank).toBe(width);
    const residual = matrix.map((row, i) => values[i]! - dot(row, x));
    for (let j = 0; j < width; j++) {
      expect(
        dot(
          matrix.map((row) => row[j]!),
          residual,
        ),
      ).toBeCloseTo(0, 14);
    }
    expect(norm(residual)).toBeGreaterThan(0.1);
  });

  it.each([
    ['exactly', (a: number, b: number) => 2 * a - b],
    ['to rounding', (a: number, b: number) => a / 3 - b / 7],
  ])('leaves an unknown at 0 whose column depends on others %s', (_, combine) => {
    const matrix = [
      [1.1, 0.3],
      [0.2, -1.7],
      [1.3, 0.9],
      [-0.6, 0.4],
    ].map(([a, b]) => [a!, b!, combine(a!, b!)]);
    const values = matrix.map(([a, b]) => 4 * a! - 5 * b!);
    const { x, rank } = leastSquares(rowsOf(matrix), Float64Array.from(values));
    expect(rank).toBe(2);
    expect([...x].filter((c) => c === 0)).toHaveLength(1);
    matrix.forEach((row, i) => {
      expect(dot(row, x)).toBeCloseTo(values[i]!, 12);
    });
  });

  it('keeps the accuracy of small rows beside huge ones', () => {
    const scales = [1e12, 1, 1e-12, 1e-12];
    const matrix = [
      [1, 0, 0],
      [3, 1, 0],
      [1, 2, 1],
      [-1, 1, 2],
    ];
    const solution = [2, -3, 5];
    const values = matrix.map((row, i) => dot(row, solution) * scales[i]!);
    const graded = matrix.map((row, i) => row.map((c) => c * scales[i]!));
    const { x, rank } = leastSquares(rowsOf(graded), Float64Array.from(values));
    expect(rank).toBe(3);
    solution.forEach((c, i) => {
      expect(Math.abs(x[i]! / c - 1)).toBeLessThan(1e-11);
    });
  });
});
