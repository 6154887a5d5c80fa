import { describe, expect, it } from 'vitest';
import {
  type LowerWhenRisingOptions,
  lowerWhenRising,
} from '../../../../src/training/control/controllers/lower-when-rising.js';
import { readingOf, readingsOf } from '../../streams/readings.js';
import { run } from './run.js';

describe('lowerWhenRising', () => {
  it('lowers once the window is full and rises, then fills it anew', () => {
    const controller = lowerWhenRising({ window: 3, factor: 0.5 });
    expect(run(controller, 8, readingsOf([1, 2, 3, 4, 5, 6, 7]))).toEqual([8, 8, 4, 4, 4, 2, 2]);
  });

  it('leaves the value alone while sharpness falls, stays or only scatters', () => {
    const controller = lowerWhenRising({ window: 4 });
    for (const values of [
      [5, 4, 3, 2, 1, 0.5],
      [3, 3, 3, 3, 3],
      [3, 5, 2, 4.5, 3, 5, 2, 4],
    ]) {
      expect(new Set(run(controller, 1, readingsOf(values)))).toEqual(new Set([1]));
    }
  });

  it('takes a noisy rise for one when it is sure enough', () => {
    // Slope 0.87 a reading, standard error 0.29: t = 2.98 on 2 degrees of freedom, of which the 95% quantile is 2.92. The first time, a
    // run spends half of what it may be wrong by.
    const values = [1, 2.35, 2.05, 4];
    const last = (confidence: number) => run(lowerWhenRising({ window: 4, confidence }), 1, readingsOf(values)).at(-1);
    expect(last(0.9)).toBe(0.5);
    expect(last(0.95)).toBe(1);
    expect(last(0.5)).toBe(0.5);
    expect(run(lowerWhenRising({ window: 4 }), 1, readingsOf(values)).at(-1)).toBe(1);
  });

  it('uses the last readings only, and where they lie', () => {
    const controller = lowerWhenRising({ window: 3 });
    expect(run(controller, 1, readingsOf([9, 8, 1, 2, 3])).at(-1)).toBe(0.5);
    // On a line over the steps 0, 1 and 10, far from one over the numbers of the readings.
    const readings = [0, 1, 10].map((step) => readingOf(1 + step, { step }));
    expect(run(lowerWhenRising({ window: 3, confidence: 0.999 }), 1, readings).at(-1)).toBe(0.5);
    const unnumbered = [0, 1, 10].map((step) => readingOf(1 + step));
    expect(run(lowerWhenRising({ window: 3, confidence: 0.999 }), 1, unnumbered).at(-1)).toBe(1);
  });

  it('goes no lower than min, and never raises', () => {
    const controller = lowerWhenRising({ window: 3, factor: 0.1, min: 0.3 });
    const rising = readingsOf([1, 2, 3, 4, 5, 6]);
    expect(run(controller, 1, rising)).toEqual([1, 1, 0.3, 0.3, 0.3, 0.3]);
    expect(new Set(run(controller, 0.2, rising))).toEqual(new Set([0.2]));
  });

  it('has a window of 6 and halves by default', () => {
    expect(run(lowerWhenRising(), 1, readingsOf([1, 2, 3, 4, 5, 6]))).toEqual([1, 1, 1, 1, 1, 0.5]);
  });

  it.each([
    [{ factor: 1 }, 'factor must'],
    [{ factor: 0 }, 'factor must'],
    [{ min: -1 }, 'min must'],
    [{ min: Number.NaN }, 'min must'],
    [{ window: 2 }, 'window must'],
    [{ window: 3.5 }, 'window must'],
    [{ confidence: 1 }, 'confidence must'],
    [{ confidence: 0.4 }, 'confidence must'],
  ])('refuses %o in one line', (options, message) => {
    const call = () => lowerWhenRising(options as LowerWhenRisingOptions);
    expect(call).toThrow(new RegExp(`^lowerWhenRising: ${message}[^\n]*$`));
  });
});
