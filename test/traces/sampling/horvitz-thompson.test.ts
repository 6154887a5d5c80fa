import { describe, expect, it } from 'vitest';
import { errorOfTotal, estimateTotal } from '../../../src/traces/sampling/horvitz-thompson.js';
import { studentTQuantile } from '../../../src/traces/sampling/student-t.js';
import { uniform } from '../../../src/traces/sampling/uniform.js';
import { paretoSample } from './pareto-sample.js';

/** Standard normal numbers, by Box and Muller. */
const normal = (seed: number, i: number) =>
  Math.sqrt(-2 * Math.log(uniform(seed, 2 * i))) * Math.cos(2 * Math.PI * uniform(seed, 2 * i + 1));

/** What Pareto samples of a population say of its total. */
function study(sizes: number[], y: number[], count: number, seeds: number) {
  const exact = y.reduce((sum, value) => sum + value, 0);
  let covered = 0;
  let reliable = 0;
  const estimates: number[] = [];
  const variances: number[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const { indices, inclusion } = paretoSample(sizes, count, (i) => uniform(seed, i));
    const values = indices.map((i) => y[i]);
    const estimate = estimateTotal({ values, inclusion });
    const error = errorOfTotal([{ values, inclusion }]);
    estimates.push(estimate);
    variances.push(error.standardError ** 2);
    covered += Math.abs(estimate - exact) <= error.margin ? 1 : 0;
    reliable += error.reliable ? 1 : 0;
  }
  const mean = (x: number[]) => x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = mean(estimates.map((value) => (value - mean(estimates)) ** 2));
  return {
    bias: (mean(estimates) - exact) / Math.sqrt(variance / seeds),
    varianceRatio: mean(variances) / variance,
    coverage: covered / seeds,
    reliable: reliable / seeds,
  };
}

describe('errorOfTotal', () => {
  it('follows the formula', () => {
    const values = [4, 6, 1, 2];
    const inclusion = [0.5, 0.8, 0.25, 1];
    expect(estimateTotal({ values, inclusion })).toBeCloseTo(8 + 7.5 + 4 + 2, 12);
    // e = 8, 7.5, 4; q = 0.5, 0.2, 0.75; the certain item plays no part.
    const beta = (0.5 * 8 + 0.2 * 7.5 + 0.75 * 4) / 1.45;
    const v = [0.5 * (8 - beta) ** 2, 0.2 * (7.5 - beta) ** 2, 0.75 * (4 - beta) ** 2];
    const h = v[0] + v[1] + v[2];
    const error = errorOfTotal([{ values, inclusion }]);
    expect(error.standardError).toBeCloseTo(Math.sqrt((3 / 2) * h), 12);
    const df = (2 * h * h) / (v.reduce((sum, each) => sum + each * each, 0) - (h * h) / 3);
    expect(error.degreesOfFreedom).toBeCloseTo(Math.min(2, Math.max(2, df)), 12);
    expect(error).toMatchObject({ uncertain: 3, reliable: false, margin: Number.POSITIVE_INFINITY });
  });

  it('has the interval of t times the standard error, from 30 uncertain items on', () => {
    const inclusion = Array(30).fill(0.5);
    const values = inclusion.map((_, i) => 10 + normal(1, i));
    const error = errorOfTotal([{ values, inclusion }]);
    expect(error.margin).toBe(studentTQuantile(0.975, error.degreesOfFreedom) * error.standardError);
    expect(error.degreesOfFreedom).toBeGreaterThan(20);
    expect(error.degreesOfFreedom).toBeLessThanOrEqual(29);
    expect(error.reliable).toBe(true);
    expect(errorOfTotal([{ values: values.slice(1), inclusion: inclusion.slice(1) }]).margin).toBe(
      Number.POSITIVE_INFINITY,
    );
  });

  it('is not reliable with few degrees of freedom, or where one item makes over a quarter of the variance', () => {
    const half = (values: number[]) => errorOfTotal([{ values, inclusion: values.map(() => 0.5) }]);
    // With pi = 1/2 throughout, beta is the mean of e = 2 y, and v = (e - beta)^2 / 2.
    const expected = (values: number[]) => {
      const n = values.length;
      const beta = (2 * values.reduce((sum, y) => sum + y, 0)) / n;
      const v = values.map((y) => (2 * y - beta) ** 2 / 2);
      const h = v.reduce((sum, each) => sum + each, 0);
      const degrees = (2 * h * h) / (v.reduce((sum, each) => sum + each * each, 0) - (h * h) / n);
      return { degrees, share: Math.max(...v) / h };
    };
    const six = Array.from({ length: 60 }, (_, i) => (i < 6 ? 100 * (-1) ** i : 0));
    expect(expected(six).share).toBeLessThan(0.25);
    expect(half(six).degreesOfFreedom).toBeCloseTo(expected(six).degrees, 9);
    expect(half(six)).toMatchObject({ reliable: false, uncertain: 60 });
    const one = Array.from({ length: 401 }, (_, i) => (i === 400 ? 12.3 : (-1) ** i));
    expect(expected(one).share).toBeGreaterThan(0.25);
    expect(half(one).degreesOfFreedom).toBeCloseTo(expected(one).degrees, 9);
    expect(half(one).degreesOfFreedom).toBeGreaterThan(20);
    expect(half(one).reliable).toBe(false);
    expect(half(one.slice(0, 400)).reliable).toBe(true);
  });

  it('is zero for certain items, and unknown for one that is not', () => {
    expect(errorOfTotal([{ values: [1, 5], inclusion: [1, 1] }])).toMatchObject({
      standardError: 0,
      margin: 0,
      reliable: true,
    });
    expect(errorOfTotal([{ values: [1, 5], inclusion: [1, 0.5] }])).toMatchObject({
      standardError: Number.POSITIVE_INFINITY,
      reliable: false,
    });
  });

  it('adds the variances of strata', () => {
    const part = (seed: number) => ({
      values: Array.from({ length: 40 }, (_, i) => 5 * seed + normal(seed, i)),
      inclusion: Array(40).fill(0.25),
    });
    const [a, b] = [part(1), part(2)];
    const joint = errorOfTotal([a, b]);
    const alone = [a, b].map((each) => errorOfTotal([each]));
    expect(joint.standardError).toBeCloseTo(Math.hypot(alone[0].standardError, alone[1].standardError), 10);
    expect(joint.degreesOfFreedom).toBeGreaterThan(Math.max(...alone.map(({ degreesOfFreedom }) => degreesOfFreedom)));
    expect(joint.uncertain).toBe(80);
  });

  it.each([64, 256])('covers the total in 95 of 100 samples of %d, without bias', (count) => {
    const sizes = Array.from({ length: 3000 }, (_, i) => Math.exp(1.5 * normal(1, i)));
    const y = sizes.map((x, i) => x * Math.exp(0.5 * normal(2, i)));
    const { bias, varianceRatio, coverage, reliable } = study(sizes, y, count, 400);
    expect(Math.abs(bias)).toBeLessThan(3.3);
    expect(varianceRatio).toBeGreaterThan(0.85);
    expect(varianceRatio).toBeLessThan(1.15);
    expect(coverage).toBeGreaterThan(0.925);
    expect(coverage).toBeLessThan(0.98);
    expect(reliable).toBeGreaterThan(count === 64 ? 0.6 : 0.95);
  });

  it('says so when the tail of what is measured is too heavy for the sample', () => {
    const sizes = Array.from({ length: 3000 }, () => 1);
    const y = sizes.map((_, i) => Math.exp(3.5 * normal(4, i)));
    const { coverage, reliable } = study(sizes, y, 64, 300);
    // The interval misses the total here: the point is that hardly any reading claims otherwise.
    expect(coverage).toBeLessThan(0.9);
    expect(reliable).toBeLessThan(0.05);
  });
});
