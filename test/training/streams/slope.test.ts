import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { slopeOf } from '../../../src/training/streams/slope.js';

describe('slopeOf', () => {
  it('finds a line, without error', () => {
    const { slope, standardError, degreesOfFreedom } = slopeOf([0, 1, 4, 9].map((x) => [x, 3 - 2 * x]));
    expect(slope).toBeCloseTo(-2, 12);
    expect(standardError).toBeCloseTo(0, 12);
    expect(degreesOfFreedom).toBe(2);
  });

  it('agrees with the first data set of Anscombe (1973): slope 0.500, standard error 0.1179', () => {
    const x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5];
    const y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
    const { slope, standardError, degreesOfFreedom } = slopeOf(x.map((each, i) => [each, y[i]!]));
    expect(slope).toBeCloseTo(0.50009, 5);
    expect(standardError).toBeCloseTo(0.11791, 5);
    expect(degreesOfFreedom).toBe(9);
  });

  it('does not mind where the steps are, and scales with both axes', () => {
    const values = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 3, maxLength: 8 });
    fc.assert(
      fc.property(
        values,
        fc.integer({ min: 0, max: 1e9 }),
        fc.integer({ min: 1, max: 1000 }),
        (ys, start, interval) => {
          const plain = slopeOf(ys.map((y, x) => [x, y]));
          const moved = slopeOf(ys.map((y, x) => [start + interval * x, 3 * y + 7]));
          expect((moved.slope * interval) / 3).toBeCloseTo(plain.slope, 6);
          expect((moved.standardError * interval) / 3).toBeCloseTo(plain.standardError, 6);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('has no slope without two different steps, and no error without a degree of freedom', () => {
    expect(slopeOf([2, 2, 2].map((x, i) => [x, i])).slope).toBeNaN();
    const two = slopeOf([
      [0, 1],
      [2, 5],
    ]);
    expect(two).toEqual({ slope: 2, standardError: Number.NaN, degreesOfFreedom: 0 });
  });
});
