import { describe, expect, it } from 'vitest';
import { probeSums } from '../../../src/traces/hutchinson/probe-sums.js';
import { uniform } from '../../../src/traces/sampling/uniform.js';

describe('probeSums', () => {
  const [probes, blocks, samples] = [5, 3, 4];
  const q = (probe: number, block: number, n: number) => 10 * uniform(block, 100 * probe + n) - 4;

  it('has the mean over probes and samples, and the error of any combination of blocks', () => {
    const sums = probeSums(probes, blocks);
    for (let n = 0; n < samples; n++) {
      for (let block = 0; block < blocks; block++) {
        for (let probe = 0; probe < probes; probe++) {
          sums.add(probe, block, q(probe, block, n));
        }
      }
    }
    const factors = [2, -1, 0.5];
    const ofProbe = (probe: number, block: number) =>
      [0, 1, 2, 3].reduce((sum, n) => sum + q(probe, block, n), 0) / samples;
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const all = Array.from({ length: probes }, (_, probe) => [0, 1, 2].map((block) => ofProbe(probe, block)));
    sums.traces(samples).forEach((trace, block) => {
      expect(trace).toBeCloseTo(mean(all.map((row) => row[block]!)), 12);
    });
    const combined = all.map((row) => row.reduce((sum, value, block) => sum + factors[block]! * value, 0));
    const variance = combined.reduce((sum, value) => sum + (value - mean(combined)) ** 2, 0) / (probes - 1);
    expect(sums.standardError(factors, samples)).toBeCloseTo(Math.sqrt(variance / probes), 12);
  });

  it('has no error without blocks, and knows none from a single probe', () => {
    expect(probeSums(1, 0).standardError([], 3)).toBe(0);
    expect(probeSums(1, 0).traces(3)).toEqual([]);
    const one = probeSums(1, 1);
    one.add(0, 0, 6);
    expect(one.traces(3)).toEqual([2]);
    expect(one.standardError([1], 3)).toBe(Number.POSITIVE_INFINITY);
  });
});
