import { describe, expect, it } from 'vitest';
import {
  type RaiseWhenRisingOptions,
  raiseWhenRising,
} from '../../../../src/training/control/controllers/raise-when-rising.js';
import { readingsOf } from '../../streams/readings.js';
import { run } from './run.js';

describe('raiseWhenRising', () => {
  it('raises once the window is full and rises, then fills it anew, up to max', () => {
    const controller = raiseWhenRising({ window: 3, factor: 2, max: 3 });
    expect(run(controller, 1, readingsOf([1, 2, 3, 4, 5, 6, 7, 8, 9]))).toEqual([1, 1, 2, 2, 2, 3, 3, 3, 3]);
    expect(new Set(run(controller, 4, readingsOf([1, 2, 3, 4])))).toEqual(new Set([4]));
  });

  it('leaves the value alone while sharpness falls, stays or only scatters', () => {
    for (const values of [
      [5, 4, 3, 2, 1, 0.5],
      [3, 3, 3, 3, 3],
      [3, 5, 2, 4.5, 3, 5, 2, 4],
    ]) {
      expect(new Set(run(raiseWhenRising({ window: 4, max: 9 }), 1, readingsOf(values)))).toEqual(new Set([1]));
    }
  });

  it('has a window of 6 and doubles by default', () => {
    expect(run(raiseWhenRising({ max: 9 }), 1, readingsOf([1, 2, 3, 4, 5, 6]))).toEqual([1, 1, 1, 1, 1, 2]);
  });

  it('cannot begin at 0', () => {
    for (const value of [0, -1, Number.NaN]) {
      expect(() => raiseWhenRising({ max: 1 }).begin(value)).toThrow(/^raiseWhenRising: the value is [^\n]*above 0\.$/);
    }
  });

  it.each([
    [undefined, 'max must'],
    [{}, 'max must'],
    [{ max: 0 }, 'max must'],
    [{ max: Number.POSITIVE_INFINITY }, 'max must'],
    [{ max: 1, factor: 1 }, 'factor must'],
    [{ max: 1, factor: Number.POSITIVE_INFINITY }, 'factor must'],
    [{ max: 1, window: 2 }, 'window must'],
    [{ max: 1, confidence: 1 }, 'confidence must'],
  ])('refuses %o in one line', (options, message) => {
    const call = () => raiseWhenRising(options as RaiseWhenRisingOptions);
    expect(call).toThrow(new RegExp(`^raiseWhenRising: ${message}[^\n]*$`));
  });
});
