import fc from 'fast-check';
import { expect, it } from 'vitest';
import { logRange, logTicks, paddedRange, roundTicks, tickText } from '../../src/chart/axis-ticks.js';

it('ticks are short', () => {
  expect([0, 12000, 123456, 0.05, 3e6, 1e-7, 0.1 + 0.2, -2.5e9].map(tickText)).toEqual([
    '0',
    '12000',
    '123456',
    '0.05',
    '3e6',
    '1e-7',
    '0.3',
    '-2.5e9',
  ]);
});

/** From 10^-12 to 10^12, and what is nearly or wholly the same. */
const values = fc
  .tuple(fc.double({ min: -12, max: 12, noNaN: true }), fc.constantFrom(0, 1e-15, 1e-7, 0.01, 1, 1e3, 1e9, 1e20))
  .map(([exponent, apart]): [number, number] => [10 ** exponent, 10 ** exponent * (1 + apart)]);

function expectTicks(ticks: readonly number[], [min, max]: readonly [number, number]): void {
  expect(ticks.length).toBeGreaterThan(1);
  expect(ticks.length).toBeLessThan(20);
  expect(ticks.every((tick, i) => tick >= min && tick <= max && (i === 0 || tick > ticks[i - 1]!))).toBe(true);
  expect(new Set(ticks.map(tickText)).size).toBe(ticks.length);
}

it('an axis has a few ticks, and no two with the same words, for values of any size', () => {
  fc.assert(
    fc.property(values, fc.boolean(), ([min, max], isNegative) => {
      const range = isNegative ? paddedRange(-max, max) : paddedRange(min, max);
      expect(range[0]).toBeLessThan(range[1]);
      expectTicks(roundTicks(...range), range);
      expect(roundTicks(...range, 2).length).toBeLessThan(7);
    }),
  );
});

it('so has one of logarithms, over a part of a decade too', () => {
  fc.assert(
    fc.property(values, ([min, max]) => {
      const range = logRange(min, max);
      expectTicks(logTicks(...range), range);
    }),
  );
  expect(logTicks(0.8, 60)).toEqual([1, 2, 5, 10, 20, 50]);
  expect(logTicks(1e-12, 1e12)).toEqual([1e-12, 1e-8, 1e-4, 1, 1e4, 1e8, 1e12]);
});

it('what differs in its last digits alone is not blown up, and an axis from 0 begins there', () => {
  expect(paddedRange(5, 5.0000001).map((end) => Number(end.toFixed(3)))).toEqual([4.95, 5.05]);
  expect(paddedRange(0, 0)).toEqual([0, 1]);
  expect(paddedRange(0.1, 100)[0]).toBe(0);
});

it('the ends of an axis are finite for the largest and the smallest numbers', () => {
  const { MAX_VALUE, MIN_VALUE } = Number;
  for (const range of [
    paddedRange(-MAX_VALUE, MAX_VALUE),
    paddedRange(MAX_VALUE, MAX_VALUE),
    paddedRange(MIN_VALUE, MIN_VALUE),
    logRange(MIN_VALUE, MAX_VALUE),
    logRange(MIN_VALUE, MIN_VALUE),
    logRange(MAX_VALUE, MAX_VALUE),
  ]) {
    expect(range.every(Number.isFinite)).toBe(true);
    expect(range[0]).toBeLessThan(range[1]);
  }
});
