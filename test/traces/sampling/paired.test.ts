import { expect, it } from 'vitest';
import { errorOfTotal } from '../../../src/traces/sampling/horvitz-thompson.js';
import { type DrawnValues, errorOfDifference } from '../../../src/traces/sampling/paired.js';
import { uniform } from '../../../src/traces/sampling/uniform.js';
import { paretoSample } from './pareto-sample.js';

const ITEMS = 2000;
const DRAWN = 200;
const SEEDS = 400;

/** A population whose values are about in proportion to their sizes, and one that has moved away from it. */
function populations(moved: number) {
  const normal = (seed: number, i: number) =>
    Math.sqrt(-2 * Math.log(uniform(seed, i))) * Math.cos(2 * Math.PI * uniform(seed + 1, i));
  const items = Array.from({ length: ITEMS }, (_, i) => {
    const size = Math.exp(1.5 * normal(1, i));
    const value = size * Math.exp(0.5 * normal(3, i));
    const other = Math.exp(moved * normal(5, i));
    return { size, value, otherSize: size * other, otherValue: value * other * Math.exp(0.3 * moved * normal(7, i)) };
  });
  return {
    one: { sizes: items.map(({ size }) => size), values: items.map(({ value }) => value) },
    other: { sizes: items.map(({ otherSize }) => otherSize), values: items.map(({ otherValue }) => otherValue) },
  };
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const total = ({ values, inclusion }: DrawnValues) => sum(values.map((value, i) => value / inclusion[i]!));

function drawn({ sizes, values }: { sizes: number[]; values: number[] }, seed: number): DrawnValues {
  const { indices, inclusion } = paretoSample(sizes, DRAWN, (i) => uniform(100 + seed, i));
  return { places: indices, inclusion, values: indices.map((i) => values[i]!) };
}

it.each([0.01, 0.1, 0.5])('differences lie within two of their errors in 95 of 100 draws, moved by %s', (moved) => {
  const { one, other } = populations(moved);
  const difference = sum(other.values) - sum(one.values);
  let covered = 0;
  let [squares, variances, apart] = [0, 0, 0];
  for (let seed = 0; seed < SEEDS; seed++) {
    const [a, b] = [drawn(one, seed), drawn(other, seed)];
    const { standardError } = errorOfDifference(a, b);
    const off = total(b) - total(a) - difference;
    covered += Math.abs(off) <= 2 * standardError ? 1 : 0;
    squares += off ** 2;
    variances += standardError ** 2;
    apart += errorOfTotal([a]).standardError ** 2 + errorOfTotal([b]).standardError ** 2;
  }
  expect(covered / SEEDS).toBeGreaterThan(0.91);
  // It is the scatter, and less than the errors of both.
  expect(variances / squares).toBeGreaterThan(0.8);
  expect(variances / squares).toBeLessThan(1.25);
  expect(variances / apart).toBeLessThan({ 0.01: 0.03, 0.1: 0.25, 0.5: 0.8 }[moved]!);
});

it('is 0 for the same sample twice, and the root of both squared where nothing was drawn by both', () => {
  const { one } = populations(0.1);
  const sample = drawn(one, 0);
  expect(errorOfDifference(sample, sample).standardError).toBe(0);
  const elsewhere = { ...sample, places: sample.places.map((place) => place + ITEMS) };
  const { standardError } = errorOfTotal([sample]);
  expect(errorOfDifference(sample, elsewhere).standardError).toBeCloseTo(Math.SQRT2 * standardError, 0);
});

it('certain items and exact totals have no error', () => {
  const all = { places: [0, 1, 2], values: [1, 2, 3], inclusion: [1, 1, 1] };
  const exact = { places: [], values: [], inclusion: [] };
  expect(errorOfDifference(all, exact)).toMatchObject({ standardError: 0, reliable: true });
  const sample = drawn(populations(0.1).one, 0);
  expect(errorOfDifference(sample, exact).standardError).toBeCloseTo(errorOfTotal([sample]).standardError, 10);
});
