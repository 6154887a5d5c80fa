import { describe, expect, it } from 'vitest';
import { uniform } from '../../../src/traces/sampling/uniform.js';

const sequence = (seed: number, length: number, first = 0) =>
  Array.from({ length }, (_, i) => uniform(seed, first + i));

const mean = (x: readonly number[]) => x.reduce((sum, value) => sum + value, 0) / x.length;

function correlation(a: readonly number[], b: readonly number[]): number {
  const [ma, mb] = [mean(a), mean(b)];
  const product = (x: readonly number[], y: readonly number[], mx: number, my: number) =>
    mean(x.map((value, i) => (value - mx) * (y[i] - my)));
  return product(a, b, ma, mb) / Math.sqrt(product(a, a, ma, ma) * product(b, b, mb, mb));
}

describe('uniform', () => {
  it.each([0, 1, -1, 2 ** 40 + 3, Number.MAX_SAFE_INTEGER])('fills (0, 1) evenly with seed %d', (seed) => {
    const bins = new Array(100).fill(0);
    const values = sequence(seed, 100_000);
    expect(values.every((value) => value > 0 && value < 1)).toBe(true);
    for (const value of values) {
      bins[Math.floor(value * 100)]++;
    }
    // Chi-square with 99 degrees of freedom: mean 99, standard deviation 14.
    const chi = bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chi).toBeGreaterThan(50);
    expect(chi).toBeLessThan(160);
  });

  it('has no correlation between neighbours, seeds, and blocks of 2^32', () => {
    const a = sequence(7, 20_000);
    for (const b of [sequence(7, 20_000, 1), sequence(8, 20_000), sequence(7, 20_000, 2 ** 32), sequence(-7, 20_000)]) {
      expect(Math.abs(correlation(a, b))).toBeLessThan(0.03);
    }
    expect(correlation(a, sequence(7, 20_000))).toBeCloseTo(1, 12);
  });

  it('has its low bits random too', () => {
    const low = sequence(3, 20_000).map((value) => (value * 2 ** 32) % 1);
    expect(Math.abs(mean(low) - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(correlation(low, sequence(3, 20_000)))).toBeLessThan(0.03);
  });
});
