import { expect, test } from 'vitest';
import { bootstrap, bootstrapOfGroups, kendall, partial, pearson } from '../../benchmarks/experiments/correlation.js';
import { shuffledLabels } from '../../benchmarks/experiments/shuffled-labels.js';
import { uniforms } from '../../src/traces/sampling/uniform.js';

// What scipy 1.17.1 finds: kendalltau, pearsonr, and pearsonr of the residuals of straight lines in z.
const x = [1.2, 3.4, 2.2, 5, 4.1, 0.3, 2.2, 7.5];
const y = [2, 2.9, 3.1, 4.4, 4.4, 1, 0.5, 6];
const z = [1, 0, 2, 1, 3, 0, 2, 4];

test('coefficients are those of scipy, with ties', () => {
  expect(kendall(x, y)).toBeCloseTo(0.7407407407407407, 12);
  expect(pearson(x, y)).toBeCloseTo(0.897906334355198, 12);
  expect(partial(x, y, z)).toBeCloseTo(0.8290754853982633, 12);
});

test('of two noisy copies of a series nothing is left when it is taken out', () => {
  const uniform = uniforms(1);
  const third = Array.from({ length: 4000 }, (_, i) => uniform(i));
  const [one, other] = [1, 2].map((copy) => third.map((value, i) => value + 0.5 * uniform(4000 * copy + i))) as [
    number[],
    number[],
  ];
  expect(pearson(one, other)).toBeGreaterThan(0.7);
  expect(Math.abs(partial(one, other, third))).toBeLessThan(3 / Math.sqrt(4000));
});

test('what does not vary has no correlation', () => {
  expect(kendall(x, [3, 3, 3, 3, 3, 3, 3, 3])).toBeNaN();
  expect(pearson(x, [3, 3, 3, 3, 3, 3, 3, 3])).toBeNaN();
});

test('the bootstrap interval is that of scipy, as near as draws come, and the same each time', () => {
  const pairs = x.map((each, i) => [each, y[i]!] as const);
  const interval = () =>
    bootstrap(pairs, (drawn) =>
      pearson(
        drawn.map(([a]) => a),
        drawn.map(([, b]) => b),
      ),
    );
  const [low, high] = interval();
  expect(Math.abs(low - 0.6253)).toBeLessThan(0.03);
  expect(Math.abs(high - 0.9917)).toBeLessThan(0.01);
  expect(interval()).toEqual([low, high]);
});

test('where groups differ and their members do not, the interval of groups is that of the groups by themselves, and else wider', () => {
  const average = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length;
  const centers = [1, 2, 4, 7, 11, 3];
  const alike = centers.map((center) => Array.from({ length: 5 }, () => center));
  const width = ([low, high]: readonly [number, number]) => high - low;
  const ofCenters = width(bootstrap(centers, average));
  expect(width(bootstrapOfGroups(alike, average)) / ofCenters).toBeCloseTo(1, 1);
  expect(width(bootstrap(alike.flat(), average))).toBeLessThan(0.6 * ofCenters);
  // Members that differ add their own part: variances of both levels add up.
  const apart = centers.map((center) => [-10, -5, 0, 5, 10].map((from) => center + from));
  const both = Math.hypot(ofCenters, width(bootstrap(apart[0]!, average)) / Math.sqrt(centers.length));
  expect(width(bootstrapOfGroups(apart, average)) / both).toBeCloseTo(1, 1);
});

test('labels are shuffled among a subset of the size of the ratio, and the classes stay as frequent', () => {
  const source = shuffledLabels(1000, 0.3, 5);
  expect([...source].sort((a, b) => a - b)).toEqual([...Array(1000).keys()]);
  const moved = source.filter((from, i) => from !== i).length;
  expect(moved).toBeGreaterThan(290);
  expect(moved).toBeLessThanOrEqual(300);
  expect([...shuffledLabels(1000, 0, 5)]).toEqual([...Array(1000).keys()]);
  expect(shuffledLabels(1000, 1, 5)).not.toEqual(shuffledLabels(1000, 1, 6));
  expect(shuffledLabels(1000, 0.3, 5)).toEqual(source);
});
