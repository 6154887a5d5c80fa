import * as fc from 'fast-check';
import { from, lastValueFrom, map, toArray } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { type ChangePointOptions, changePoint } from '../../../src/training/streams/change-point.js';
import { readingsOf } from './readings.js';

const changes = (values: readonly number[], options: ChangePointOptions) =>
  lastValueFrom(
    from(readingsOf(values, 1)).pipe(
      changePoint(options),
      map(({ step, change }) => ({ ...change, step: step!, since: change.since.step! })),
      toArray(),
    ),
  );

/** Page-Hinkley as the literature has it: m_T - min m over a running sum, the extreme's place as the date. Times from 1. */
function textbook(values: readonly number[], { threshold, tolerance = 0, minReadings = 5 }: ChangePointOptions) {
  const sums = { up: [0], down: [0] };
  let mean = 0;
  for (let t = 1; t <= values.length; t++) {
    mean = values.slice(0, t).reduce((sum, value) => sum + value) / t;
    const deviation = values[t - 1]! - mean;
    sums.up.push(sums.up.at(-1)! + deviation - tolerance);
    sums.down.push(sums.down.at(-1)! - deviation - tolerance);
    for (const direction of ['up', 'down'] as const) {
      const lowest = Math.min(...sums[direction]);
      const evidence = sums[direction].at(-1)! - lowest;
      if (evidence > threshold && t > minReadings) {
        return { direction, step: t, since: sums[direction].lastIndexOf(lowest) + 1, evidence };
      }
    }
  }
  return undefined;
}

describe('changePoint', () => {
  it('fires when the evidence is enough, and says since when', () => {
    new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(({ cold, expectObservable }) => {
      const [a, b, c, d] = readingsOf([2, 2, 8, 8]);
      const source = cold('ab-c-d|', { a, b, c, d });
      // Means 2, 2, 4, 5: evidence 4 after c, 7 after d.
      expectObservable(source.pipe(changePoint({ threshold: 5, minReadings: 1 }))).toBe('-----x|', {
        x: { ...d, change: { direction: 'up', since: c, readings: 2, evidence: 7 } },
      });
    });
  });

  it('finds a fall as well as a rise', async () => {
    const options = { threshold: 5, tolerance: 0.5 };
    expect(await changes([4, 5, 4, 5, 4, 5, 10, 10, 10], options)).toMatchObject([
      { direction: 'up', since: 7, step: 8, readings: 2 },
    ]);
    expect(await changes([10, 9, 10, 9, 10, 9, 4, 4, 4], options)).toMatchObject([
      { direction: 'down', since: 7, step: 8 },
    ]);
  });

  it('is the textbook test', async () => {
    const options = { threshold: 6, tolerance: 0.25, minReadings: 3 };
    const value = fc.integer({ min: 0, max: 40 }).map((x) => x / 4);
    let fired = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 4, maxLength: 30 }), async (values) => {
        const expected = textbook(values, options);
        const [first] = await changes(values, options);
        expect(first?.step).toBe(expected?.step);
        if (expected === undefined) {
          return;
        }
        fired++;
        expect(first!.direction).toBe(expected.direction);
        expect(first!.evidence).toBeCloseTo(expected.evidence, 9);
        expect(first!.readings).toBe(first!.step - first!.since + 1);
        expect(first!.since).toBe(expected.since);
      }),
      { numRuns: 200, seed: 1 },
    );
    expect(fired).toBeGreaterThan(20);
  });

  it('is silent where values only scatter within the tolerance, and on one lone peak', async () => {
    expect(await changes([4, 5, 4, 5, 4, 5, 4, 5, 4, 5], { threshold: 1, tolerance: 0.6 })).toEqual([]);
    expect(await changes([4, 4, 4, 4, 4, 4, 8, 4, 4, 4, 4], { threshold: 5, tolerance: 0.5 })).toEqual([]);
  });

  it('holds its fire until there are more than minReadings', async () => {
    const [first] = await changes([1, 9, 9, 9, 9, 9, 9], { threshold: 2, minReadings: 4 });
    expect(first!.step).toBe(5);
    expect((await changes([1, 1, 1, 1, 1, 9, 9], { threshold: 2 }))[0]!.step).toBe(6);
  });

  it('begins anew after a change, and for each subscriber', async () => {
    const values = [1, 1, 1, 9, 9, 9, 9, 1, 1, 1];
    const options = { threshold: 5, minReadings: 2 };
    const found = await changes(values, options);
    expect(found.map(({ direction, since, step }) => [direction, since, step])).toEqual([
      ['up', 4, 4],
      ['down', 8, 8],
    ]);
    const stream$ = from(readingsOf(values, 1)).pipe(changePoint(options), toArray());
    expect(await lastValueFrom(stream$)).toEqual(await lastValueFrom(stream$));
  });

  it('leaves out what is not finite, and watches another number', async () => {
    expect(
      (await changes([1, 1, Number.NaN, 1, 9, 9], { threshold: 5, minReadings: 2 })).map(({ step }) => step),
    ).toEqual([5]);
    const stream$ = from([1, 1, 1, 9].map((loss) => ({ loss }))).pipe(
      changePoint({ threshold: 5, minReadings: 2, field: 'loss' }),
    );
    expect((await lastValueFrom(stream$)).change).toEqual({
      direction: 'up',
      since: { loss: 9 },
      readings: 1,
      evidence: 6,
    });
  });

  it.each([
    [undefined, 'threshold must'],
    [{}, 'threshold must'],
    [{ threshold: 0 }, 'threshold must'],
    [{ threshold: Number.POSITIVE_INFINITY }, 'threshold must'],
    [{ threshold: 1, tolerance: -1 }, 'tolerance must'],
    [{ threshold: 1, minReadings: 0 }, 'minReadings must'],
    [{ threshold: 1, minReadings: 1.5 }, 'minReadings must'],
    [{ threshold: 1, field: '' }, 'field must'],
  ])('refuses %o at the call, in one line', (options, message) => {
    expect(() => changePoint(options as ChangePointOptions)).toThrow(new RegExp(`^changePoint: ${message}[^\n]*$`));
  });
});
