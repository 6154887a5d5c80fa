import { from, lastValueFrom, map, type Observable, toArray } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { SharpnessReading } from '../../../src/measure/reading.js';
import { exponentialMovingAverage } from '../../../src/training/streams/exponential-moving-average.js';
import { readingOf, readingsOf } from './readings.js';

const smoothedOf = (values: readonly number[], smoothing?: number) =>
  lastValueFrom(
    from(readingsOf(values)).pipe(
      exponentialMovingAverage({ smoothing }),
      map(({ smoothed }) => smoothed),
      toArray(),
    ),
  );

describe('exponentialMovingAverage', () => {
  it('adds the average to every reading, when the reading comes', () => {
    new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(({ cold, expectObservable }) => {
      const [a, b, c] = [readingOf(8, { step: 1 }), readingOf(4, { step: 2 }), readingOf(1, { step: 3 })];
      const source = cold('a-b--c|', { a, b, c });
      expectObservable(source.pipe(exponentialMovingAverage({ smoothing: 0.5 }))).toBe('x-y--z|', {
        x: { ...a, smoothed: 8 },
        y: { ...b, smoothed: (4 * 0.5 + 8 * 0.25) / 0.75 },
        z: { ...c, smoothed: (1 * 0.5 + 4 * 0.25 + 8 * 0.125) / 0.875 },
      });
    });
  });

  it('is the weighted mean with weights that fall by the smoothing, without a bias towards zero', async () => {
    const values = [7, 3, 9, 4, 4, 11];
    for (const smoothing of [0.1, 0.6, 0.99]) {
      const averages = await smoothedOf(values, smoothing);
      averages.forEach((average, t) => {
        const weights = values.slice(0, t + 1).map((_, i) => smoothing ** (t - i));
        const sum = weights.reduce((total, weight) => total + weight);
        const mean = weights.reduce((total, weight, i) => total + weight * values[i]!, 0) / sum;
        expect(average).toBeCloseTo(mean, 10);
      });
    }
    expect(await smoothedOf(values, 0)).toEqual(values);
    expect(await smoothedOf([5, 5, 5], 0.9)).toEqual([5, 5, 5]);
    expect(await smoothedOf(values)).toEqual(await smoothedOf(values, 0.6));
  });

  it('passes what is not finite, and averages the others', async () => {
    const [first, nan, infinite, last] = await smoothedOf([4, Number.NaN, Number.POSITIVE_INFINITY, 8], 0.5);
    expect([first, nan, infinite]).toEqual([4, Number.NaN, Number.POSITIVE_INFINITY]);
    expect(last).toBeCloseTo((8 * 0.5 + 4 * 0.25) / 0.75, 12);
  });

  it('averages another number, and begins anew for each subscriber', async () => {
    const averages$ = from(readingsOf([4, 8])).pipe(
      exponentialMovingAverage({ field: 'trace', smoothing: 0.5 }),
      map(({ smoothed }) => smoothed),
      toArray(),
    );
    const averages = await lastValueFrom(averages$);
    expect(averages[0]).toBe(8);
    expect(averages[1]).toBeCloseTo((16 * 0.5 + 8 * 0.25) / 0.75, 12);
    expect(await lastValueFrom(averages$)).toEqual(averages);
  });

  it('has types: the reading and the average, and only numbers to average', () => {
    const readings$ = from(readingsOf([1]));
    expectTypeOf(readings$.pipe(exponentialMovingAverage())).toEqualTypeOf<
      Observable<SharpnessReading & { readonly smoothed: number }>
    >();
    // Of its own average.
    readings$.pipe(exponentialMovingAverage(), exponentialMovingAverage({ field: 'smoothed' }));
    // @ts-expect-error: not a number
    readings$.pipe(exponentialMovingAverage({ field: 'exact' }));
    // @ts-expect-error: no such field
    readings$.pipe(exponentialMovingAverage({ field: 'sharpness' }));
    // @ts-expect-error: without a field, it is of minimumSharpness
    from([{ step: 1, loss: 2 }]).pipe(exponentialMovingAverage());
  });

  it('fails in one line where the number is missing', async () => {
    const wrong = exponentialMovingAverage({ field: 'exact' } as object);
    await expect(lastValueFrom(from([readingOf(1)]).pipe(wrong))).rejects.toThrow(
      /^exponentialMovingAverage: the readings have no number "exact", only minimumSharpness, standardError, [^\n]*\.$/,
    );
  });

  it.each([
    [{ smoothing: 1 }, 'smoothing must'],
    [{ smoothing: -0.1 }, 'smoothing must'],
    [{ smoothing: Number.NaN }, 'smoothing must'],
    [{ smoothing: 'much' }, 'smoothing must'],
    [{ field: '' }, 'field must'],
    [{ field: 3 }, 'field must'],
  ])('refuses %o at the call, in one line', (options, message) => {
    const call = () => exponentialMovingAverage(options as object);
    expect(call).toThrow(new RegExp(`^exponentialMovingAverage: ${message}[^\n]*$`));
  });
});
