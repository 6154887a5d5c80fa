import { describe, expect, it } from 'vitest';
import type { SharpnessReading } from '../../../../src/measure/reading.js';
import {
  afterChange,
  afterReading,
  checkRising,
  type Points,
  type RisingOptions,
  unread,
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

/** At which readings, counted from 1, values are found to rise; after each the window is filled anew. */
function rises(values: readonly number[], options: RisingOptions = {}): number[] {
  const settings = checkRising('rises', options);
  let rise = unread;
  const found: number[] = [];
  for (const [i, value] of values.entries()) {
    const after = afterReading(Object.freeze(rise), readingOf(value, { step: 10 * i }), settings);
    rise = after.isRising ? afterChange(after.rise) : after.rise;
    if (after.isRising) {
      found.push(i + 1);
    }
  }
  return found;
}

describe('afterReading', () => {
  // Slope 0.87, standard error 0.29: t = 2.98 on 2 degrees of freedom, whose quantiles are 2.92 (95%) and 4.30 (97.5%).
  const noisy = [1, 2.35, 2.05, 4];

  it('is a one-sided t-test of the slope, at half of the level the first time', () => {
    expect(rises(noisy, { window: 4, confidence: 0.9 })).toEqual([4]);
    expect(rises(noisy, { window: 4, confidence: 0.95 })).toEqual([]);
  });

  it('waits until there are enough points', () => {
    expect(rises(noisy, { window: 5, confidence: 0.5 })).toEqual([]);
  });

  it('takes neither a fall nor a plain for a rise', () => {
    for (const values of [
      [4, 3, 2, 1],
      [2, 2, 2, 2],
      [1, Number.NaN, 3, 4],
    ]) {
      expect(rises(values, { window: 4, confidence: 0.5 })).toEqual([]);
    }
  });

  it('counts the scatter of earlier windows, also of those before a change', () => {
    const scattered = [5, 1, 6, 0.5, 5.5, 1];
    const line = [2, 2.4, 2.8];
    expect(rises(line, { window: 3 })).toEqual([3]);
    expect(rises([...scattered, ...line], { window: 3 })).toEqual([]);
    // Four windows ago is long ago.
    expect(rises([...scattered, ...Array(18).fill(2), ...line], { window: 3 })).toEqual([27]);
  });
});

describe('the confidence is that of a run', () => {
  /** Normal noise, always the same for a seed. */
  function noise(seed: number): () => number {
    let state = seed;
    const uniform = () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
    return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  }
  const runs = 300;
  const sharesThatRise = (values: (next: () => number) => number[], options: RisingOptions = {}) => {
    let count = 0;
    for (let seed = 1; seed <= runs; seed++) {
      count += rises(values(noise(1000 * seed)), options).length > 0 ? 1 : 0;
    }
    return count / runs;
  };
  const flat = (length: number) => (next: () => number) => Array.from({ length }, () => 30 + next());

  it.each([
    [50, 6, 0.99],
    [50, 6, 0.9],
    [50, 3, 0.9],
    [200, 6, 0.9],
    [50, 12, 0.9],
  ])('%i flat readings, window %i: no alarm at all in at least %f of the runs', (length, window, confidence) => {
    const alarms = sharesThatRise(flat(length), { window, confidence });
    // Three standard errors of a share.
    const level = 1 - confidence;
    expect(alarms).toBeLessThanOrEqual(level + 3 * Math.sqrt((level * confidence) / runs));
  });

  it('finds real rises: of 1.5 standard deviations a reading, over 15 readings after 20 flat ones', () => {
    const rising = (next: () => number) =>
      Array.from({ length: 35 }, (_, i) => 30 + 1.5 * Math.max(0, i - 19) + next());
    expect(sharesThatRise(rising)).toBeGreaterThan(0.9);
    expect(sharesThatRise(rising, { window: 10 })).toBeGreaterThan(0.99);
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
