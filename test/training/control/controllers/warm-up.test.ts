import { describe, expect, it } from 'vitest';
import type { SharpnessReading } from '../../../../src/measure/reading.js';
import { type WarmUpOptions, warmUp } from '../../../../src/training/control/controllers/warm-up.js';
import { readingsOf } from '../../streams/readings.js';
import { run } from './run.js';

describe('warmUp', () => {
  it('grows until the last readings agree, and stays for good', () => {
    const controller = warmUp({ max: 1000, factor: 2, window: 3, tolerance: 0.1 });
    expect(run(controller, 1, readingsOf([50, 20, 10, 9.8, 10.2, 90, 5]))).toEqual([2, 4, 8, 16, 16, 16, 16]);
  });

  it('stops at max', () => {
    expect(run(warmUp({ max: 3, factor: 2 }), 1, readingsOf([5, 4, 3, 2]))).toEqual([2, 3, 3, 3]);
    expect(run(warmUp({ max: 3 }), 4, readingsOf([5, 1]))).toEqual([4, 4]);
  });

  it('wants a full window, within the tolerance of the mean', () => {
    const last = (values: number[], options: Partial<WarmUpOptions> = {}) =>
      run(warmUp({ max: 1000, factor: 2, ...options }), 1, readingsOf(values)).at(-1);
    expect(last([7, 7, 7])).toBe(8);
    expect(last([7, 7, 7, 7])).toBe(8);
    // 0.5 apart, mean 5.
    expect(last([4.75, 5, 5.25, 5], { tolerance: 0.1 })).toBe(8);
    expect(last([4.75, 5, 5.25, 5], { tolerance: 0.099 })).toBe(16);
    expect(last([4.75, 5, 5.25, 5])).toBe(8);
    // Up and down without a trend is not stable.
    expect(last([4, 6, 4, 6])).toBe(16);
    expect(run(warmUp({ max: 9 }), 1, readingsOf([1]))).toEqual([1.5]);
  });

  it('cannot begin at 0', () => {
    for (const value of [0, -1, Number.NaN]) {
      expect(() => warmUp({ max: 1 }).begin(value)).toThrow(/^warmUp: the value is [^\n]*above 0\.$/);
    }
  });

  it.each([
    [undefined, 'max must'],
    [{}, 'max must'],
    [{ max: Number.NaN }, 'max must'],
    [{ max: 1, factor: 1 }, 'factor must'],
    [{ max: 1, window: 1 }, 'window must'],
    [{ max: 1, window: 2.5 }, 'window must'],
    [{ max: 1, tolerance: -0.1 }, 'tolerance must'],
    [{ max: 1, tolerance: Number.NaN }, 'tolerance must'],
  ])('refuses %o in one line', (options, message) => {
    expect(() => warmUp(options as WarmUpOptions)).toThrow(new RegExp(`^warmUp: ${message}[^\n]*$`));
  });
});

it('does not grow on readings that are no numbers', () => {
  const { begin, next } = warmUp({ max: 1 });
  const state = begin(0.1);
  for (const minimumSharpness of [Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(next(state, { minimumSharpness } as SharpnessReading)).toBe(state);
  }
});
