import { describe, expect, it } from 'vitest';
import { type PairSample, SampledTraces } from '../../../src/traces/pairs/sampled-traces.js';
import { uniform } from '../../../src/traces/sampling/uniform.js';
import { paretoSample } from '../sampling/pareto-sample.js';

/** Part of a set: sizes, two sampled parameters that go together, and one known from the forward pass. */
function part(samples: number, offset: number) {
  const sizes = Array.from({ length: 3 * samples }, (_, i) => Math.exp(2 * Math.sin(offset + 1.3 * i)));
  const first = sizes.map((x, i) => x * (1.5 + Math.cos(0.7 * i + offset)));
  const second = sizes.map((x, i) => 4 * x * (1.5 - Math.cos(0.7 * i + offset)));
  const sum = (x: number[]) => x.reduce((total, value) => total + value, 0);
  const draw = (count: number, seed: number): PairSample => {
    const { indices, inclusion } = paretoSample(sizes, count, (i) => uniform(seed, i));
    const traces = [first, second].map((all) => indices.map((i) => all[i]));
    return { samples, pairs: count, closedForm: [null, null, 2 * samples], inclusion, traces: [...traces, []] };
  };
  return { samples, totals: [sum(first), sum(second), 2 * samples], draw };
}

describe('SampledTraces', () => {
  const [a, b] = [part(400, 0), part(900, 5)];
  const exact = a.totals.map((total, i) => (total + b.totals[i]) / 1300);

  it('puts samples of two parts of the data together, with true errors', () => {
    const factors = [1, 1, 7];
    const truth = exact.reduce((sum, trace, i) => sum + factors[i] * trace, 0);
    const seeds = 300;
    let covered = 0;
    let mean = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      // Through JSON, as between machines.
      const parts = JSON.parse(JSON.stringify([a.draw(40, 2 * seed), b.draw(60, 2 * seed + 1)])) as PairSample[];
      const found = new SampledTraces(parts);
      expect(found).toMatchObject({ samples: 1300, pairs: 100 });
      expect(found.traces[2]).toBe(2);
      const value = found.traces.reduce((sum, trace, i) => sum + factors[i] * trace, 0);
      mean += value / seeds;
      covered += Math.abs(value - truth) <= found.errorOf(factors).margin ? 1 : 0;
    }
    expect(Math.abs(mean / truth - 1)).toBeLessThan(0.005);
    expect(covered / seeds).toBeGreaterThan(0.91);
    expect(covered / seeds).toBeLessThan(0.985);
  });

  it('takes the error of a sum from its values, not from the errors of its parts', () => {
    const found = new SampledTraces([a.draw(100, 1)]);
    const [first, second] = [
      [1, 0, 0],
      [0, 0.25, 0],
    ].map((factors) => found.errorOf(factors).standardError);
    // The two cancel pair by pair: their sum is 3 times the size, which sampling by size knows exactly.
    expect(found.errorOf([1, 0.25, 5]).standardError).toBeLessThan(1e-9 * (first + second));
    expect(first).toBeGreaterThan(0.01);
    expect(found.errorOf([0, 0, 1])).toMatchObject({ standardError: 0 });
  });

  it('knows what pairs drawn at random account for', () => {
    const sample: PairSample = {
      samples: 10,
      pairs: 3,
      closedForm: [null, 50],
      inclusion: [1, 0.5, 0.25],
      traces: [[100, 3, 2], []],
    };
    const found = new SampledTraces([sample]);
    expect(found.traces).toEqual([(100 + 6 + 8) / 10, 5]);
    expect(found.uncertainPart([2, 1])).toBeCloseTo((2 * (6 + 8)) / 10, 12);
  });

  it('is within a bound by its interval, or, where there is none, if the uncertain part could be missing altogether', () => {
    const interval = new SampledTraces([a.draw(100, 1)]);
    const { margin, standardError } = interval.errorOf([1, 0, 0]);
    expect(interval.isWithin(margin / 1.95, [1, 0, 0])).toBe(true);
    expect(interval.isWithin((margin / 1.96 + standardError) / 2, [1, 0, 0])).toBe(false);
    // Three uncertain pairs, alike: no spread to be seen, but 12 of 22 in all.
    const few: PairSample = {
      samples: 1,
      pairs: 4,
      closedForm: [null],
      inclusion: [1, 0.5, 0.5, 0.25],
      traces: [[10, 2, 2, 1]],
    };
    const sample = new SampledTraces([few]);
    expect(sample.errorOf([1]).standardError).toBeLessThan(1e-6);
    expect(sample.isWithin(1, [1])).toBe(false);
    expect(sample.isWithin(13, [1])).toBe(true);
    expect(new SampledTraces([{ ...few, inclusion: [1, 1, 1, 1] }]).isWithin(0, [1])).toBe(true);
  });
});
