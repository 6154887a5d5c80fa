import { expect, test } from 'vitest';
import {
  BESIDE_BY_CHANCE,
  bootstrap,
  bootstrapOfGrid,
  bootstrapWithin,
  kendall,
  kendallWithin,
  partial,
  partialOfParabola,
  pearson,
} from '../../benchmarks/experiments/correlation.js';
import { shuffledLabels } from '../../benchmarks/experiments/shuffled-labels.js';
import { generator } from '../../benchmarks/random-numbers.js';
import { uniforms } from '../../src/traces/sampling/uniform.js';

// What scipy 1.17.1 finds: kendalltau, pearsonr, and pearsonr of the residuals of straight lines in z; that of the residuals of parabolas
// comes from Python's fractions.
const x = [1.2, 3.4, 2.2, 5, 4.1, 0.3, 2.2, 7.5];
const y = [2, 2.9, 3.1, 4.4, 4.4, 1, 0.5, 6];
const z = [1, 0, 2, 1, 3, 0, 2, 4];

test('coefficients are those of scipy, with ties', () => {
  expect(kendall(x, y)).toBeCloseTo(0.7407407407407407, 12);
  expect(pearson(x, y)).toBeCloseTo(0.897906334355198, 12);
  expect(partial(x, y, z)).toBeCloseTo(0.8290754853982633, 12);
  expect(partialOfParabola(x, y, z)).toBeCloseTo(0.7884576339201833, 12);
});

test('tau within groups counts pairs of one group only, all that there are of them, and is tau where there is one group', () => {
  const groups = ['a', 'b', 'a', 'a', 'b', 'b', 'a', 'b'];
  const together = x.flatMap((_, i) =>
    x.flatMap((_, j) => (i < j && groups[i] === groups[j] ? [[i, j] as const] : [])),
  );
  const differ = (of: readonly number[]) => together.filter(([i, j]) => of[i] !== of[j]).length;
  const concordant = together.filter(([i, j]) => (x[i]! - x[j]!) * (y[i]! - y[j]!) > 0).length;
  const discordant = together.filter(([i, j]) => (x[i]! - x[j]!) * (y[i]! - y[j]!) < 0).length;
  expect([together.length, differ(x), differ(y)]).toEqual([12, 11, 12]);
  expect(kendallWithin(x, y, groups)).toBeCloseTo((concordant - discordant) / Math.sqrt(11 * 12), 12);
  expect(kendallWithin(x, y, groups)).not.toBeCloseTo(kendall(x, y), 2);
  const one = groups.map(() => 'a');
  expect(kendallWithin(x, y, one)).toBe(kendall(x, y));
  expect(kendallWithin(x, y, [...x.keys()])).toBeNaN();
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

test('of two copies of a curve nothing is left when a parabola is taken out, and much when a straight line is', () => {
  const uniform = uniforms(1);
  const third = Array.from({ length: 4000 }, (_, i) => uniform(i));
  const [one, other] = [1, 2].map((copy) =>
    third.map((value, i) => value + 4 * value ** 2 + 0.5 * uniform(4000 * copy + i)),
  ) as [number[], number[]];
  expect(partial(one, other, third)).toBeGreaterThan(0.5);
  expect(Math.abs(partialOfParabola(one, other, third))).toBeLessThan(3 / Math.sqrt(4000));
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

test('drawn within groups, what differs between these alone does not vary, and tau within them misses the true one as seldom as said', () => {
  const average = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length;
  expect(bootstrapWithin([1, 1, 1, 8, 8, 5], (value) => value, average)).toEqual([4, 4]);
  const random = generator(3);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  // As of the LeNets: three of each of eleven groups, the groups far apart in both, and nothing in common within.
  const misses = Array.from({ length: 100 }, () => {
    const points = Array.from(
      { length: 33 },
      (_, i) => [10 * (i % 11) + normal(), 10 * (i % 11) + normal(), i % 11] as const,
    );
    const column = (drawn: typeof points, place: 0 | 1 | 2) => drawn.map((point) => point[place]);
    const [low, high] = bootstrapWithin(
      points,
      ([, , group]) => group,
      (drawn) =>
        kendallWithin(
          column(drawn as typeof points, 0),
          column(drawn as typeof points, 1),
          column(drawn as typeof points, 2),
        ),
    );
    return low > 0 || high < 0;
  });
  expect(misses.filter(Boolean).length).toBeLessThanOrEqual(8);
}, 60_000);

test('where just rows of a grid differ, or just columns, its interval is that of these by themselves, and gaps are passed over', () => {
  const average = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length;
  const centers = [1, 2, 4, 7, 11, 3];
  const width = ([low, high]: readonly [number, number]) => high - low;
  const rows = centers.map((center) => Array.from({ length: 5 }, () => center));
  const columns = Array.from({ length: 5 }, () => centers);
  const ofCenters = width(bootstrap(centers, average));
  for (const grid of [rows, columns]) {
    expect(Math.abs(width(bootstrapOfGrid(grid, average)) / ofCenters - 1)).toBeLessThan(0.1);
  }
  // Nothing at all is drawn at times: the first row and the second column alone.
  const holes = [
    [5, undefined],
    [5, 5],
    [5, 5],
  ];
  expect(bootstrapOfGrid(holes, (values) => (values.length === 0 ? Number.NaN : average(values)))).toEqual([5, 5]);
});

/** x and y of settings and seeds: parts of the setting, which correlate, of the seed in common to all settings, and of their own. */
function drawnGrid(
  random: () => number,
  settings: number,
  { setting, seed, own, correlation }: Record<string, number>,
) {
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const ofSeeds = Array.from({ length: 5 }, () => [seed! * normal(), seed! * normal()] as const);
  return Array.from({ length: settings }, () => {
    const ofX = normal();
    const ofY = correlation! * ofX + Math.sqrt(1 - correlation! ** 2) * normal();
    return ofSeeds.map(
      ([a, b]) => [setting! * ofX + a + own! * normal(), setting! * ofY + b + own! * normal()] as const,
    );
  });
}

/** The mean of its tau: 2 / pi asin r for each kind of pair, of one setting, of one seed, and of neither. */
function trueTau(settings: number, { setting, seed, own, correlation }: Record<string, number>) {
  const [both, oneSeed, oneSetting] = [settings * 5 * (settings - 1) * 4, 5 * settings * (settings - 1), settings * 20];
  const of = (variance: number) => (2 / Math.PI) * Math.asin((correlation! * setting! ** 2) / variance);
  const apart = setting! ** 2 + own! ** 2;
  return (both * of(apart + seed! ** 2) + oneSeed * of(apart)) / (both + oneSeed + oneSetting);
}

const tauOf = (points: readonly (readonly [number, number])[]) =>
  kendall(
    points.map(([a]) => a),
    points.map(([, b]) => b),
  );

/** Share of intervals that miss the true value. */
function missed(
  parts: Record<string, number>,
  interval: (grid: ReturnType<typeof drawnGrid>) => readonly [number, number],
  runs: number,
) {
  const random = generator(7);
  const misses = Array.from({ length: runs }, (_, run) => {
    const settings = run % 2 === 0 ? 4 : 8;
    const [low, high] = interval(drawnGrid(random, settings, parts));
    const truth = trueTau(settings, parts);
    return truth < low || truth > high;
  });
  return misses.filter(Boolean).length / runs;
}

test('intervals of a grid miss the true tau as seldom as is said, those of its rows often where columns have much in common', () => {
  const cases = [0, 0.7].flatMap((correlation) =>
    [
      { setting: 1, seed: 0, own: 0.5 },
      { setting: 1, seed: 1, own: 0.5 },
      { setting: 0.3, seed: 1, own: 0.3 },
    ].map((parts) => ({ ...parts, correlation })),
  );
  const rates = cases.map((parts) => missed(parts, (grid) => bootstrapOfGrid(grid, tauOf, 150), 100));
  expect(Math.max(...rates), String(rates)).toBeLessThanOrEqual(0.05);
  expect(Math.abs(rates.reduce((a, b) => a + b) / rates.length - BESIDE_BY_CHANCE), String(rates)).toBeLessThan(0.01);
  const ofRows = missed(cases[2]!, (grid) => bootstrap(grid, (rows) => tauOf(rows.flat())), 60);
  expect(ofRows).toBeGreaterThan(0.3);
}, 60_000);

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
