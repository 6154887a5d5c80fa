import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Average, differenceError, nextAverage } from '../../../src/training/stopping/smoothing.js';

const factors = fc.double({ min: 0, max: 0.99, noNaN: true });
const readings = fc.array(
  fc.record({ x: fc.double({ min: -10, max: 10, noNaN: true }), error: fc.double({ min: 0, max: 2, noNaN: true }) }),
  { minLength: 2, maxLength: 12 },
);

/** The averages after each number. */
function averages(numbers: readonly { x: number; error: number }[], factor: number): Average[] {
  const all: Average[] = [];
  for (const { x, error } of numbers) {
    all.push(nextAverage(all.at(-1), x, error, factor));
  }
  return all;
}

/** The weights of the first t numbers in the t-th average, straight from the formula. */
const weights = (t: number, factor: number) =>
  Array.from({ length: t }, (_, i) => ((1 - factor) * factor ** (t - 1 - i)) / (1 - factor ** t));

describe('the moving average', () => {
  it('is the weighted sum of the formula, with the variance of that sum', () => {
    fc.assert(
      fc.property(readings, factors, (numbers, factor) => {
        averages(numbers, factor).forEach(({ value, variance, count }, t) => {
          const w = weights(t + 1, factor);
          expect(count).toBe(t + 1);
          expect(value).toBeCloseTo(
            w.reduce((sum, share, i) => sum + share * numbers[i]!.x, 0),
            8,
          );
          expect(variance).toBeCloseTo(
            w.reduce((sum, share, i) => sum + (share * numbers[i]!.error) ** 2, 0),
            8,
          );
        });
      }),
    );
  });

  it('knows the error of a difference, in which the numbers that both averages hold count once', () => {
    fc.assert(
      fc.property(readings, factors, fc.nat(), (numbers, factor, draw) => {
        const all = averages(numbers, factor);
        const s = 1 + (draw % (all.length - 1));
        const [early, late] = [weights(s, factor), weights(all.length, factor)];
        const variance = late.reduce((sum, w, i) => sum + ((w - (early[i] ?? 0)) * numbers[i]!.error) ** 2, 0);
        expect(differenceError(all.at(-1)!, all[s - 1]!, factor)).toBeCloseTo(Math.sqrt(variance), 6);
      }),
    );
  });

  it('takes a number without history for exact', () => {
    const exact = { value: 1, variance: 0, count: 0 };
    expect(differenceError(nextAverage(undefined, 2, 0.25, 0), exact, 0)).toBe(0.25);
    expect(differenceError(nextAverage(undefined, 2, 0.25, 0.9), exact, 0.9)).toBe(0.25);
  });

  it('with factor 0 is the number itself, bit for bit', () => {
    const before = { value: 1e20, variance: 4, count: 3 };
    expect(nextAverage(before, 0.1, 0.5, 0)).toEqual({ value: 0.1, variance: 0.25, count: 4 });
  });

  it('is not finite where a number is not', () => {
    const before = { value: 1, variance: 0, count: 3 };
    for (const x of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(nextAverage(before, x, 0, 0.5).value).toBe(x);
    }
  });
});
