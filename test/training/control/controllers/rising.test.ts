import { describe, expect, it } from 'vitest';
import type { SharpnessReading } from '../../../../src/measure/reading.js';
import {
  checkRising,
  isRising,
  type Points,
  withReading,
} from '../../../../src/training/control/controllers/rising.js';
import { readingOf } from '../../streams/readings.js';

describe('withReading', () => {
  it('keeps the latest points, and leaves those that it was given alone', () => {
    const points: Points = [
      [10, 1],
      [20, 2],
    ];
    expect(withReading(points, readingOf(3, { step: 30 }), 2)).toEqual([
      [20, 2],
      [30, 3],
    ]);
    expect(points).toHaveLength(2);
  });

  it('counts a reading without a step as one step after the last', () => {
    expect(withReading([], readingOf(3), 4)).toEqual([[0, 3]]);
    expect(withReading([[10, 1]], readingOf(3), 4)).toEqual([
      [10, 1],
      [11, 3],
    ]);
  });
});

describe('isRising', () => {
  const pointsOf = (values: readonly number[]): Points => values.map((value, i) => [i, value]);
  // Slope 0.87, standard error 0.29: t = 2.98 on 2 degrees of freedom, whose quantiles are 2.92 (95%) and 4.30 (97.5%).
  const noisy = pointsOf([1, 2.35, 2.05, 4]);

  it('is the one-sided t-test of the slope', () => {
    expect(isRising(noisy, { window: 4, confidence: 0.95 })).toBe(true);
    expect(isRising(noisy, { window: 4, confidence: 0.975 })).toBe(false);
  });

  it('waits until there are enough points', () => {
    expect(isRising(noisy, { window: 5, confidence: 0.5 })).toBe(false);
  });

  it('takes neither a fall nor a plain for a rise', () => {
    for (const values of [
      [4, 3, 2, 1],
      [2, 2, 2, 2],
      [1, Number.NaN, 3, 4],
    ]) {
      expect(isRising(pointsOf(values), { window: 4, confidence: 0.5 })).toBe(false);
    }
  });
});

describe('checkRising', () => {
  it('fills in what is not given', () => {
    expect(checkRising('lower', {})).toEqual({ window: 6, confidence: 0.99 });
    expect(checkRising('lower', { window: 3, confidence: 0.5 })).toEqual({ window: 3, confidence: 0.5 });
  });

  it('refuses what is out of range in the name of the controller', () => {
    expect(() => checkRising('lower', { window: 2 })).toThrow(
      'lower: window must be a whole number of at least 3, but it is 2.',
    );
    for (const confidence of [0.49, 1, Number.NaN]) {
      expect(() => checkRising('lower', { confidence })).toThrow(
        `lower: confidence must be a number of at least 0.5 and below 1, but it is ${confidence}.`,
      );
    }
  });
});

it('leaves out readings that are no numbers', () => {
  const points = [[1, 5]] as const;
  for (const minimumSharpness of [Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(withReading(points, { step: 2, minimumSharpness } as SharpnessReading, 6)).toBe(points);
  }
});
