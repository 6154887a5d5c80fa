import { expect, it } from 'vitest';
import { axisLabels, valueAxis } from '../../src/report/value-axis.js';

it('is linear where values are near each other, with room for intervals', () => {
  const { scale, domain } = valueAxis([5, 10], [2, 12], 4);
  expect(scale.type).toBe('linear');
  expect(domain[0]).toBeLessThan(2);
  expect(domain[1]).toBeGreaterThan(12);
});

it('is of logarithms where they lie far apart, and an interval down to 0 does not stretch it', () => {
  const { scale, domain, ticks } = valueAxis([1, 1000, Number.POSITIVE_INFINITY], [0, 1100], 4);
  expect(scale.type).toBe('log');
  expect(domain[0]).toBeGreaterThan(0.5);
  expect(domain[1]).toBeLessThan(2000);
  expect(ticks).toEqual(expect.arrayContaining([1, 10, 100, 1000]));
});

it('has a place for 0 among logarithms', () => {
  const { scale, domain, ticks } = valueAxis([0, 0.01, 1000], [], 4);
  expect(scale).toEqual({ type: 'symlog', constant: 0.01 });
  expect(domain[0]).toBe(0);
  expect(ticks[0]).toBe(0);
});

it('is there without any value, and labels in few digits', () => {
  expect(valueAxis([Number.NaN], [], 4).ticks).toEqual([]);
  expect(axisLabels(valueAxis([1], [], 4)).labelExpr).toContain('"0.995":"0.995"');
});
