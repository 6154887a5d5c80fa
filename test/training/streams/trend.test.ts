import { from, lastValueFrom, map, toArray } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { exponentialMovingAverage } from '../../../src/training/streams/exponential-moving-average.js';
import { slopeOf } from '../../../src/training/streams/slope.js';
import { type TrendOptions, trend } from '../../../src/training/streams/trend.js';
import { readingOf, readingsOf } from './readings.js';

describe('trend', () => {
  it('says from the third reading on where the last ones are heading', () => {
    new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(({ cold, expectObservable }) => {
      const [a, b, c, d, e] = readingsOf([5, 7, 6, 9, 4], 10);
      const points = [5, 7, 6, 9, 4].map((value, i) => [10 * (i + 1), value] as const);
      expectObservable(cold('abc-d-e|', { a, b, c, d, e }).pipe(trend({ window: 4 }))).toBe('--x-y-z|', {
        x: { ...c, trend: slopeOf(points.slice(0, 3)) },
        y: { ...d, trend: slopeOf(points.slice(0, 4)) },
        z: { ...e, trend: slopeOf(points.slice(1, 5)) },
      });
    });
  });

  it('is in units a training step, on window - 2 degrees of freedom', async () => {
    const { trend: found } = await lastValueFrom(from(readingsOf([9, 9, 1, 3, 5, 7], 50)).pipe(trend({ window: 4 })));
    expect(found.slope).toBeCloseTo(2 / 50, 12);
    expect(found.standardError).toBeCloseTo(0, 12);
    expect(found.degreesOfFreedom).toBe(2);
    const default10 = await lastValueFrom(from(readingsOf(Array(30).fill(1))).pipe(trend()));
    expect(default10.trend.degreesOfFreedom).toBe(8);
  });

  it('takes another number, also one that an operator has added', async () => {
    const of = <T>(stream$: import('rxjs').Observable<{ trend: { slope: number } } & T>) =>
      lastValueFrom(stream$.pipe(map((reading) => reading.trend.slope)));
    const readings$ = from(readingsOf([1, 2, 3, 4], 1));
    expect(await of(readings$.pipe(trend({ field: 'trace' })))).toBeCloseTo(2, 12);
    const smoothed = await of(readings$.pipe(exponentialMovingAverage(), trend({ field: 'smoothed' })));
    expect(smoothed).toBeGreaterThan(0.3);
    expect(smoothed).toBeLessThan(1);
  });

  it('lets the standard errors of the readings alone', async () => {
    const slopes = [0, 1].map((standardError) =>
      lastValueFrom(
        from([1, 5, 2, 7].map((value, step) => readingOf(value, { step, standardError: standardError * step }))).pipe(
          trend(),
        ),
      ),
    );
    const [plain, noisy] = await Promise.all(slopes);
    expect(noisy!.trend).toEqual(plain!.trend);
  });

  it('counts readings without a step, on from the last', async () => {
    const readings = [readingOf(1), readingOf(2), readingOf(5, { step: 4 }), readingOf(6)];
    const { trend: found } = await lastValueFrom(from(readings).pipe(trend()));
    expect(found.slope).toBeCloseTo(1, 12);
  });

  it('leaves out what is not finite, and begins anew for each subscriber', async () => {
    const values = [1, Number.NaN, 2, Number.POSITIVE_INFINITY, 3];
    const stream$ = from(readingsOf(values, 1)).pipe(trend(), toArray());
    for (let i = 0; i < 2; i++) {
      const emitted = await lastValueFrom(stream$);
      expect(emitted.map(({ step }) => step)).toEqual([5]);
      expect(emitted[0]!.trend.slope).toBeCloseTo(0.5, 12);
    }
  });

  it.each([
    [{ window: 2 }, 'window must'],
    [{ window: 4.5 }, 'window must'],
    [{ window: Number.POSITIVE_INFINITY }, 'window must'],
    [{ field: '' }, 'field must'],
  ])('refuses %o at the call, in one line', (options, message) => {
    expect(() => trend(options as TrendOptions)).toThrow(new RegExp(`^trend: ${message}[^\n]*$`));
  });
});
