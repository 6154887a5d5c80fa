import { describe, expect, it } from 'vitest';
import { PriorityReservoir } from '../../../src/traces/sampling/priority.js';
import { uniform } from '../../../src/traces/sampling/uniform.js';

function reservoirOf(sizes: readonly number[], capacity: number, seed: number): PriorityReservoir<number> {
  const reservoir = new PriorityReservoir<number>(capacity);
  sizes.forEach((x, i) => {
    reservoir.offer(x, uniform(seed, i), () => i);
  });
  return reservoir;
}

describe('PriorityReservoir', () => {
  const sizes = Array.from({ length: 2000 }, (_, i) => Math.exp(3 * Math.sin(i * 1.7)) + (i % 500 === 0 ? 400 : 0));
  const total = sizes.reduce((sum, x) => sum + x, 0);

  it('keeps the largest priorities of a stream, and nothing else', () => {
    const reservoir = reservoirOf(sizes, 40, 3);
    const byPriority = sizes
      .map((x, i) => ({ i, priority: x / uniform(3, i) }))
      .sort((a, b) => b.priority - a.priority);
    const { indices } = reservoir.draw(40);
    expect(indices.map((i) => reservoir.items[i])).toEqual(byPriority.slice(0, 40).map(({ i }) => i));
    expect(reservoir.items).toHaveLength(41);
  });

  it('makes no item that cannot be drawn, and holds few on the way', () => {
    const reservoir = new PriorityReservoir<number>(10);
    let made = 0;
    let most = 0;
    for (let i = 0; i < 50_000; i++) {
      reservoir.offer(1, uniform(1, i), () => made++);
      most = Math.max(most, reservoir.items.length);
    }
    expect(most).toBeLessThanOrEqual(85);
    // About 10 ln(50,000 / 10) items ever enter a sample of 10; those made between two sortings add to that.
    expect(made).toBeLessThan(1000);
  });

  it('contains smaller samples in larger ones', () => {
    const reservoir = reservoirOf(sizes, 64, 9);
    const small = reservoir.draw(16);
    expect(small.indices).toEqual(reservoir.draw(64).indices.slice(0, 16));
    expect(small.inclusion).not.toEqual(reservoir.draw(64).inclusion.slice(0, 16));
  });

  it('is calibrated to the sum of sizes in every single sample, certain items included', () => {
    for (let seed = 0; seed < 20; seed++) {
      const reservoir = reservoirOf(sizes, 40, seed);
      const { indices, inclusion } = reservoir.draw(40);
      const estimate = indices.reduce((sum, i, j) => sum + sizes[reservoir.items[i]] / inclusion[j], 0);
      expect(estimate / total).toBeCloseTo(1, 10);
      expect(inclusion.filter((pi) => pi === 1).length).toBeGreaterThanOrEqual(4);
    }
  });

  it('estimates any total without bias', () => {
    const y = sizes.map((x, i) => x * (1 + Math.cos(i)));
    const exact = y.reduce((sum, value) => sum + value, 0);
    const estimates = Array.from({ length: 600 }, (_, seed) => {
      const reservoir = reservoirOf(sizes, 40, seed);
      const { indices, inclusion } = reservoir.draw(40);
      return indices.reduce((sum, i, j) => sum + y[reservoir.items[i]] / inclusion[j], 0);
    });
    const mean = estimates.reduce((sum, value) => sum + value, 0) / estimates.length;
    const variance = estimates.reduce((sum, value) => sum + (value - mean) ** 2, 0) / estimates.length;
    expect(Math.abs(mean - exact)).toBeLessThan(3 * Math.sqrt(variance / estimates.length) + 0.005 * exact);
  });

  it('is certain of everything when the stream is short', () => {
    const reservoir = reservoirOf([2, 0, 5], 10, 1);
    expect(reservoir.draw(10).inclusion).toEqual([1, 1]);
    expect(reservoir.items.sort()).toEqual([0, 2]);
  });

  it('keeps its digits where certain items hold nearly all of the sizes', () => {
    const reservoir = reservoirOf([1e20, ...Array(200).fill(1)], 50, 2);
    const { inclusion } = reservoir.draw(50);
    expect(inclusion.filter((pi) => pi === 1)).toHaveLength(1);
    for (const pi of inclusion) {
      expect(pi > 0 && pi <= 1).toBe(true);
    }
    const open = inclusion.filter((pi) => pi < 1);
    const others = open.reduce((sum, pi) => sum + 1 / pi, 0);
    expect(Math.abs(others / 200 - 1)).toBeLessThan(0.5);
  });
});
