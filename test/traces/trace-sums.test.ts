import { describe, expect, it } from 'vitest';
import type { TraceChunk } from '../../src/traces/exact.js';
import { TraceSums } from '../../src/traces/trace-sums.js';

describe('TraceSums', () => {
  const chunk = (norms: number[][]): TraceChunk => ({
    samples: norms[0].length,
    norms: norms.map((row) => Float64Array.from(row)),
    pairs: 0,
  });

  it('is the mean over samples, and its error the spread of any combination of blocks', () => {
    const a = [1, 4, 2, 8, 5, 7];
    const b = [3, 1, 4, 1, 5, 9];
    const sums = new TraceSums(2);
    sums.add(chunk([a.slice(0, 2), b.slice(0, 2)]));
    sums.add(chunk([a.slice(2), b.slice(2)]));
    const mean = (x: number[]) => x.reduce((s, v) => s + v, 0) / x.length;
    expect(sums.traces[0]).toBeCloseTo(mean(a), 12);
    expect(sums.traces[1]).toBeCloseTo(mean(b), 12);
    const u = a.map((value, n) => 2 * value - 0.5 * b[n]);
    const variance = u.reduce((s, v) => s + (v - mean(u)) ** 2, 0) / 5;
    expect(sums.standardError([2, -0.5])).toBeCloseTo(Math.sqrt(variance / 6), 12);
  });

  it('counts samples and pairs, and keeps its digits where traces hardly differ', () => {
    const sums = new TraceSums(1);
    const traces = Array.from({ length: 1000 }, (_, n) => Math.fround(4096 + (n % 7) / 1024));
    for (let n = 0; n < 1000; n += 100) {
      sums.add({ samples: 100, norms: [Float64Array.from(traces.slice(n, n + 100))], pairs: 300 });
    }
    expect(sums).toMatchObject({ samples: 1000, pairs: 3000 });
    const mean = traces.reduce((sum, trace) => sum + trace / 1000, 0);
    const variance = traces.reduce((sum, trace) => sum + (trace - mean) ** 2, 0) / 999;
    expect(sums.traces[0]).toBeCloseTo(mean, 9);
    expect(sums.standardError([1]) / Math.sqrt(variance / 1000)).toBeCloseTo(1, 6);
  });

  it('knows nothing of the spread from one sample', () => {
    const sums = new TraceSums(1);
    sums.add(chunk([[1]]));
    expect(sums.standardError([1])).toBe(Number.POSITIVE_INFINITY);
  });
});
