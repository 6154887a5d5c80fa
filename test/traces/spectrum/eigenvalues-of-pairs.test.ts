import { expect, it } from 'vitest';
import { uniforms } from '../../../src/traces/sampling/uniform.js';
import { eigenvaluesOfPairs } from '../../../src/traces/spectrum/eigenvalues-of-pairs.js';
import type { PairGrams } from '../../../src/traces/spectrum/pair-grams.js';

// Gradients along axes of their own: pair i has <g_i, g_i> = size_i^2 in the first block and 4 size_i^2 in the second.
const sizes = [3, 2, 1];
const products = [1, 4].map((factor) => Float32Array.from({ length: 9 }, (_, i) => (i % 4 === 0 ? factor : 0)));
const grams: PairGrams = { pairs: 3, parameters: [], products, units: Float64Array.from(sizes) };
const certain = { samples: 10, inclusion: [1, 1, 1], sampleOf: [0, 1, 2] };

it('weighs pairs by 1 / (N pi), and blocks by their factors', () => {
  const all = eigenvaluesOfPairs(grams, certain, [1, 1], 2);
  expect(all.map(({ value }) => value)).toEqual([(5 * 9) / 10, (5 * 4) / 10].map((each) => expect.closeTo(each, 10)));
  expect(all.map(({ ofBlocks }) => ofBlocks())).toEqual([
    [expect.closeTo(0.9, 10), expect.closeTo(3.6, 10)],
    [expect.closeTo(0.4, 10), expect.closeTo(1.6, 10)],
  ]);
  expect(all.every(({ error }) => error.standardError < 1e-6 && error.reliable)).toBe(true);
  // What a limit makes 0 counts nothing, whatever its traces.
  expect(eigenvaluesOfPairs(grams, certain, [0.5, 0], 5).map(({ value }) => value)).toEqual(
    // There are no more than pairs: all others are 0.
    [0.45, 0.2, 0.05, 0, 0].map((each) => expect.closeTo(each, 10)),
  );
  // The last pair stands for 100.
  const [first] = eigenvaluesOfPairs(grams, { ...certain, inclusion: [1, 1, 0.01] }, [1, 0], 1);
  expect(first!.value).toBeCloseTo(100 / 10, 8);
});

it('has the error of a total over pairs, to first order', () => {
  // One direction for all: the eigenvalue is the total itself.
  const pairs = 40;
  const same: PairGrams = {
    pairs,
    parameters: [],
    products: [new Float32Array(pairs * pairs).fill(1)],
    units: Float64Array.from({ length: pairs }, (_, i) => 1 + (i % 3)),
  };
  const inclusion = Array.from({ length: pairs }, (_, i) => 0.2 + 0.01 * (i % 7));
  const drawn = { samples: 50, inclusion, sampleOf: inclusion.map((_, i) => i) };
  const { value, error } = eigenvaluesOfPairs(same, drawn, [1], 1)[0]!;
  const e = inclusion.map((pi, i) => (1 + (i % 3)) ** 2 / pi);
  const q = inclusion.map((pi) => 1 - pi);
  const sum = (list: number[]) => list.reduce((a, b) => a + b, 0);
  const beta = sum(e.map((each, i) => q[i]! * each)) / sum(q);
  const variance = (pairs / (pairs - 1)) * sum(e.map((each, i) => q[i]! * (each - beta) ** 2));
  expect(value).toBeCloseTo(sum(e) / 50, 8);
  expect(error.standardError).toBeCloseTo(Math.sqrt(variance) / 50, 8);
  // Of a part, the choice of samples adds to it.
  const every = { ...drawn, inclusion: inclusion.map(() => 1) };
  const rounding = 2 ** -24 * (sum(e.map((each, i) => each * inclusion[i]!)) / 50);
  expect(eigenvaluesOfPairs(same, every, [1], 1)[0]!.error.standardError).toBeCloseTo(rounding, 10);
  const [part] = eigenvaluesOfPairs(same, { ...every, population: 5000 }, [1], 1);
  expect(part!.value).toBeCloseTo(sum(e.map((each, i) => each * inclusion[i]!)) / 50, 8);
  expect(part!.error.standardError).toBeGreaterThan(0.1);
});

it('counts in the error what neighbours push an eigenvalue off by, and flags what few pairs say', () => {
  // Noise of variance 1 / pi in every entry of the diagonal, and beside it: random gradients in two dimensions, and all along one.
  const estimate = (pairs: number, pi: number, second: number) => {
    const uniform = uniforms(5);
    const gradients = Array.from({ length: pairs }, (_, i) => [
      uniform(2 * i) - 0.5,
      second * (uniform(2 * i + 1) - 0.5),
    ]);
    const products = Float32Array.from({ length: pairs ** 2 }, (_, place) => {
      const [a, b] = [gradients[Math.floor(place / pairs)]!, gradients[place % pairs]!];
      return a[0]! * b[0]! + a[1]! * b[1]!;
    });
    const ofPairs = { pairs, parameters: [], products: [products], units: new Float64Array(pairs).fill(1) };
    const inclusion = gradients.map(() => pi);
    return eigenvaluesOfPairs(ofPairs, { samples: pairs, inclusion, sampleOf: inclusion.map((_, i) => i) }, [1], 2);
  };
  const [alone] = estimate(200, 0.2, 0);
  const [beside, below] = estimate(200, 0.2, 0.9);
  expect(beside!.value / alone!.value).toBeLessThan(1.1);
  // By the four moments of uniform numbers: the spread along an axis, and that between the two of them.
  const between = (Math.sqrt(0.8 * 200) * 0.9 * (1 / 12)) / 0.2 / 200;
  const gap = beside!.value - below!.value;
  const push = (gap - Math.sqrt(Math.max(0, gap ** 2 - 4 * between ** 2))) / 2;
  const along = (error: { standardError: number }) => Math.sqrt(error.standardError ** 2 - push ** 2);
  expect(push).toBeGreaterThan(0.2 * beside!.error.standardError);
  expect(along(beside!.error) / alone!.error.standardError).toBeGreaterThan(0.85);
  expect(along(beside!.error) / alone!.error.standardError).toBeLessThan(1.15);
  expect(beside!.error.margin / beside!.error.standardError).toBeCloseTo(
    alone!.error.margin / alone!.error.standardError,
    1,
  );
  expect(alone!.error.reliable).toBe(true);
  expect(estimate(45, 0.2, 0)[0]!.error.reliable).toBe(false);
});

it.each([3, 60])('gives what may be rounding as 0, with its size as the error: %i pairs', (pairs) => {
  // All gradients along one axis, with products that rounding made larger or smaller: other eigenvalues lie on both sides of 0.
  const uniform = uniforms(7);
  const product = new Float32Array(pairs ** 2).fill(1);
  for (let i = 0; i < pairs; i++) {
    for (let j = 0; j < i; j++) {
      const rounded = 1 + 1.2e-7 * Math.floor(3 * uniform(i * pairs + j) - 1);
      product[i * pairs + j] = rounded;
      product[j * pairs + i] = rounded;
    }
  }
  const ofPairs = { pairs, parameters: [], products: [product], units: new Float64Array(pairs).fill(1) };
  for (const pi of [1, 0.5]) {
    const inclusion = new Array<number>(pairs).fill(pi);
    const drawn = { samples: pairs, inclusion, sampleOf: inclusion.map((_, i) => i) };
    const [first, ...others] = eigenvaluesOfPairs(ofPairs, drawn, [1], 3);
    expect(first!.value).toBeCloseTo(1 / pi, 5);
    for (const { value, error, ofBlocks } of others) {
      expect(value).toBe(0);
      // Pairs that were not drawn may have another direction.
      const unseen = (1 - pi) / (pairs * pi);
      expect(error.standardError / Math.hypot((2 * 2 ** -24) / pi, unseen)).toBeCloseTo(1, 5);
      expect(ofBlocks()).toEqual([0]);
    }
  }
});
