import { describe, expect, it } from 'vitest';
import { inclusionFactor, paretoSample, paretoSampling } from '../../../src/traces/sampling/pareto.js';
import { uniform } from '../../../src/traces/sampling/uniform.js';

/** Skewed sizes: the largest is 1, the smallest far below. */
const skewed = (length: number, decay: number) => Array.from({ length }, (_, i) => Math.exp(-decay * i));

describe('inclusionFactor', () => {
  it.each([
    [skewed(50, 0.05), 10],
    [skewed(50, 0.5), 10],
    [skewed(500, 2), 3],
    [[5, 5, 5, 5], 2],
    [[1e-30, 3e-30, 1e-28, 2e-30], 2],
  ])('makes probabilities that add up to the sample', (sizes, count) => {
    const factor = inclusionFactor(sizes, count);
    expect(sizes.reduce((sum, x) => sum + Math.min(1, factor * x), 0)).toBeCloseTo(count, 9);
  });

  it('makes all items certain that have a size, when there are no more than are wanted', () => {
    expect(inclusionFactor([3, 0, 1, 0], 2)).toBe(Number.POSITIVE_INFINITY);
    expect(inclusionFactor([0, 0], 1)).toBe(Number.POSITIVE_INFINITY);
    const all = paretoSample([3, 0, 1, 0], 3, () => 0.5);
    expect(all).toEqual({ indices: [0, 2], inclusion: [1, 1] });
  });
});

describe('paretoSample', () => {
  it('draws every item as often as its inclusion probability says, always as many as asked for', () => {
    const sizes = [8, 4, 3, 2, 2, 1.5, 1, 1, 0.7, 0.5, 0.3, 0.1, 0];
    const count = 5;
    const draws = 10_000;
    const factor = inclusionFactor(sizes, count);
    const seen = sizes.map(() => 0);
    for (let seed = 0; seed < draws; seed++) {
      const { indices, inclusion } = paretoSample(sizes, count, (i) => uniform(seed, i));
      expect(indices).toHaveLength(count);
      expect([...indices].sort((a, b) => a - b)).toEqual(indices);
      expect(inclusion).toEqual(indices.map((i) => Math.min(1, factor * sizes[i])));
      for (const index of indices) {
        seen[index]++;
      }
    }
    sizes.forEach((x, i) => {
      const expected = Math.min(1, factor * x);
      // Pareto sampling meets the probabilities to one or two percent in samples this small.
      expect(Math.abs(seen[i] / draws - expected)).toBeLessThan(0.025 * expected + 0.008);
    });
    expect(seen[0]).toBe(draws);
    expect(seen[12]).toBe(0);
  });

  it('nearly contains smaller samples in larger ones', () => {
    const sizes = skewed(3000, 0.003);
    const u = (i: number) => uniform(5, i);
    let kept = 0;
    let all = 0;
    for (let count = 64; count < 1000; count *= 2) {
      const larger = new Set(paretoSample(sizes, 2 * count, u).indices);
      const smaller = paretoSample(sizes, count, u).indices;
      kept += smaller.filter((i) => larger.has(i)).length;
      all += smaller.length;
    }
    expect(kept / all).toBeGreaterThan(0.98);
  });

  it('finds enough items where ranks are high', () => {
    expect(paretoSample([1, 1, 1, 1], 3, () => 1 - 1e-9).indices).toHaveLength(3);
  });

  it('stops between pieces of a large set, and draws the same', () => {
    const sizes = skewed(300_000, 1e-5);
    const u = (i: number) => uniform(5, i);
    const walk = paretoSampling(sizes, 100, u);
    let stops = 0;
    let each = walk.next();
    for (; !each.done; each = walk.next()) {
      stops++;
    }
    // Four pieces for the factor, found in two rounds, for what is certain, and for the ranks.
    expect(stops).toBeGreaterThanOrEqual(4 * 3);
    expect(each.value).toEqual(paretoSample(sizes, 100, u));
  });
});
