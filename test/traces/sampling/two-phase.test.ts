import { describe, expect, it } from 'vitest';
import { estimateTotal, varianceOfTotal } from '../../../src/traces/sampling/horvitz-thompson.js';
import { varianceOfPart } from '../../../src/traces/sampling/two-phase.js';
import { uniform } from '../../../src/traces/sampling/uniform.js';
import { paretoSample } from './pareto-sample.js';

const normal = (seed: number, i: number) =>
  Math.sqrt(-2 * Math.log(uniform(seed, 2 * i))) * Math.cos(2 * Math.PI * uniform(seed, 2 * i + 1));

const sum = (x: ArrayLike<number>) => Array.from(x).reduce((total, value) => total + value, 0);

describe('varianceOfPart', () => {
  it('is the textbook one where every element is known', () => {
    const known = [3, 5, 10, 2];
    const { variance, items } = varianceOfPart({
      population: 10,
      known,
      drawn: { values: [], inclusion: [] },
      elementOf: [],
    });
    const s2 = sum(known.map((y) => (y - 5) ** 2)) / 3;
    expect(variance).toBeCloseTo((100 * (1 - 0.4) * s2) / 4, 10);
    expect(items).toBe(4);
  });

  it('is that of the elements where all of their items were drawn with certainty', () => {
    const drawn = { values: [1, 2, 7, 4], inclusion: [1, 1, 1, 1] };
    const found = varianceOfPart({ population: 9, known: [1, 0, 3], drawn, elementOf: [0, 0, 1, 2] });
    expect(found).toEqual(
      varianceOfPart({ population: 9, known: [4, 7, 7], drawn: { values: [], inclusion: [] }, elementOf: [] }),
    );
  });

  it('takes from the squares of estimates what is their own variance', () => {
    const drawn = { values: [2, 3, 1], inclusion: [0.5, 0.25, 0.8] };
    const found = varianceOfPart({ population: 12, known: [1, 0, 4, 2], drawn, elementOf: [0, 0, 2] });
    const estimates = [1 + 4 + 12, 0, 4 + 1.25, 2];
    const own = [(0.5 * 4) / 0.25 + (0.75 * 9) / 0.0625, 0, (0.2 * 1) / 0.64, 0];
    const squares = sum(estimates.map((y, n) => y * y - own[n]));
    const squareOfTotal = sum(estimates) ** 2 - varianceOfTotal(drawn).variance;
    expect(found.variance).toBeCloseTo(Math.max(0, (144 * (1 - 4 / 12) * (squares - squareOfTotal / 4)) / 3 / 4), 8);
    expect(found.variance).toBeGreaterThan(0);
  });

  it('is 0 rather than less where elements hardly differ', () => {
    const drawn = { values: [1, 1, 1], inclusion: [0.5, 0.5, 0.5] };
    const found = varianceOfPart({ population: 12, known: [1, 1, 1, 3], drawn, elementOf: [0, 1, 2] });
    expect(found).toMatchObject({ variance: 0, spread: 0, items: 4 });
  });

  it('is none where the part is all there is', () => {
    const found = varianceOfPart({
      population: 2,
      known: [1, 5],
      drawn: { values: [], inclusion: [] },
      elementOf: [],
    });
    expect(found).toMatchObject({ variance: 0, items: 0 });
  });

  /** Elements with 6 items each, some in both known part and items, over many draws of both phases. */
  it.each([
    ['alike', 0.2],
    ['unlike', 1],
  ])('together with that of the items is the variance of the estimate: elements that are %s', (_, spread) => {
    const population = 400;
    const n = 120;
    const activity = Array.from({ length: population }, (_, i) => Math.exp(spread * normal(1, i)));
    const t = activity.flatMap((a, i) => Array.from({ length: 6 }, (_, k) => a * Math.exp(0.8 * normal(2, 6 * i + k))));
    const c = activity.map((a, i) => 2 * a * Math.exp(0.3 * normal(3, i)));
    const truth = sum(t) + sum(c);
    const seeds = 600;
    let squares = 0;
    let stated = 0;
    let ofItems = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const u = activity.map((_, i) => uniform(seed, 2 ** 40 + i));
      const places = [...u.keys()].sort((a, b) => u[a] - u[b]).slice(0, n);
      const items = places.flatMap((place) => Array.from({ length: 6 }, (_, k) => 6 * place + k));
      const sizes = items.map((item) => Math.exp(0.3 * normal(4, item)) * t[item]);
      const { indices, inclusion } = paretoSample(sizes, 100, (i) => uniform(seed, i));
      const drawn = { values: indices.map((i) => t[items[i]]), inclusion };
      const known = places.map((place) => c[place]);
      const elementOf = indices.map((i) => Math.floor(i / 6));
      const expansion = population / n;
      const estimate = expansion * (estimateTotal(drawn) + sum(known));
      squares += (estimate - truth) ** 2 / seeds;
      stated += varianceOfPart({ population, known, drawn, elementOf }).variance / seeds;
      ofItems += (expansion ** 2 * varianceOfTotal(drawn).variance) / seeds;
    }
    expect((stated + ofItems) / squares).toBeGreaterThan(0.88);
    expect((stated + ofItems) / squares).toBeLessThan(1.12);
    expect(ofItems / squares).toBeLessThan(0.6);
  });
});
