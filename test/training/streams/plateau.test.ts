import { from, lastValueFrom, map, toArray } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { type PlateauOptions, plateau } from '../../../src/training/streams/plateau.js';
import { readingsOf } from './readings.js';

describe('plateau', () => {
  it('emits the reading at which patience ends', () => {
    new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(({ cold, expectObservable }) => {
      const [a, b, c, d, e] = readingsOf([3, 2, 4, 2, 1]);
      const source = cold('abc-d-e|', { a, b, c, d, e });
      expectObservable(source.pipe(plateau({ patience: 2 }))).toBe('----x--|', { x: { ...d, best: 2 } });
    });
  });

  // The same cases as for earlyStopping: the first emission is where it would stop training.
  it.each<[string, number[], Omit<PlateauOptions, 'patience'> & { patience?: number }, number | undefined]>([
    ['is silent while the value falls', [8, 7, 6, 5, 4, 3, 2, 1], {}, undefined],
    ['emits at the first reading without improvement', [3, 2, 2, 1], {}, 3],
    ['waits for `patience` readings in a row', [3, 4, 2, 3, 3, 1], { patience: 2 }, 5],
    ['takes patience 1 like 0', [3, 2, 2, 1], { patience: 1 }, 3],
    ['starts waiting anew after an improvement', [3, 4, 2, 4, 1, 4, 0], { patience: 2 }, undefined],
    ['compares with the best, not the last', [3, 5, 4, 3.5, 3], { patience: 3 }, 4],
    ['wants more than minDelta', [3, 2.5, 2, 1, 0], { minDelta: 0.5 }, 2],
    ['takes what is a little more than minDelta', [3, 2.4, 1.8, 1.2], { minDelta: 0.5 }, undefined],
    ['takes higher for better', [1, 2, 3, 3, 4], { mode: 'max' }, 4],
    ['wants more than minDelta upwards', [1, 1.5, 3], { mode: 'max', minDelta: 0.5 }, 2],
    ['never takes NaN for an improvement', [3, Number.NaN, Number.NaN, 2], { patience: 2 }, 3],
    ['takes a value after NaN', [3, Number.NaN, 2, 1], { patience: 2 }, undefined],
    ['does not wait before the first number', [Number.NaN, Number.NaN, 3, 3], { patience: 1 }, 4],
    ['counts an infinite value', [Number.POSITIVE_INFINITY, 3, Number.POSITIVE_INFINITY], {}, 3],
  ])('%s', async (_, values, options, expected) => {
    const emitted = await lastValueFrom(
      from(readingsOf(values, 1)).pipe(plateau({ patience: 0, ...options }), toArray()),
    );
    expect(emitted[0]?.step).toBe(expected);
  });

  it('emits again while the plateau goes on, and begins anew for each subscriber', async () => {
    const stream$ = from(readingsOf([1, 2, 2, 2, 2, 2], 1)).pipe(
      plateau({ patience: 2 }),
      map(({ step, best }) => [step, best]),
      toArray(),
    );
    for (let i = 0; i < 2; i++) {
      expect(await lastValueFrom(stream$)).toEqual([
        [3, 1],
        [5, 1],
      ]);
    }
  });

  it('watches another number', async () => {
    const stream$ = from([{ loss: 3 }, { loss: 3 }]).pipe(plateau({ patience: 1, field: 'loss' }));
    expect(await lastValueFrom(stream$)).toEqual({ loss: 3, best: 3 });
  });

  it.each([
    [undefined, 'patience must'],
    [{}, 'patience must'],
    [{ patience: -1 }, 'patience must'],
    [{ patience: 1.5 }, 'patience must'],
    [{ patience: 1, minDelta: -1 }, 'minDelta must'],
    [{ patience: 1, minDelta: Number.NaN }, 'minDelta must'],
    [{ patience: 1, mode: 'auto' }, 'mode must'],
    [{ patience: 1, field: '' }, 'field must'],
  ])('refuses %o at the call, in one line', (options, message) => {
    expect(() => plateau(options as PlateauOptions)).toThrow(new RegExp(`^plateau: ${message}[^\n]*$`));
  });
});
