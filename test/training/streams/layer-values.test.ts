import { from, lastValueFrom, of, toArray } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { layerScale, layerTrace, parameterTrace } from '../../../src/training/streams/layer-values.js';
import { trend } from '../../../src/training/streams/trend.js';
import { readingOf } from './readings.js';

const reading = (step: number, factor: number) =>
  readingOf(1, {
    step,
    epoch: 0,
    parameters: [
      { name: 'first/kernel', layer: 'first', trace: 1 * factor, standardError: 0.1 },
      { name: 'first/bias', layer: 'first', trace: 2 * factor, standardError: 0.2 },
      { name: 'second/kernel', layer: 'second', trace: 4 * factor, standardError: 0 },
    ],
    scales: [
      { layer: 'first', alpha: 2 * factor },
      { layer: 'second', alpha: 0.5 / factor },
    ],
  });

describe('of one layer', () => {
  it('parameterTrace, layerTrace and layerScale keep the moment and the numbers', () => {
    new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(({ cold, expectObservable }) => {
      const source = cold('a-b|', { a: reading(3, 1), b: reading(6, 10) });
      expectObservable(source.pipe(parameterTrace('first/bias'))).toBe('x-y|', {
        x: { step: 3, epoch: 0, name: 'first/bias', layer: 'first', trace: 2, standardError: 0.2 },
        y: { step: 6, epoch: 0, name: 'first/bias', layer: 'first', trace: 20, standardError: 0.2 },
      });
      expectObservable(source.pipe(layerTrace('first'))).toBe('x-y|', {
        x: { step: 3, epoch: 0, layer: 'first', trace: 3 },
        y: { step: 6, epoch: 0, layer: 'first', trace: 30 },
      });
      expectObservable(source.pipe(layerScale('second'))).toBe('x-y|', {
        x: { step: 3, epoch: 0, layer: 'second', alpha: 0.5 },
        y: { step: 6, epoch: 0, layer: 'second', alpha: 0.05 },
      });
    });
  });

  it('goes on to the other operators', async () => {
    const emitted = await lastValueFrom(
      from([reading(1, 1), reading(2, 2), reading(3, 3)]).pipe(
        layerTrace('second'),
        trend({ field: 'trace' }),
        toArray(),
      ),
    );
    expect(emitted.map(({ trend: { slope } }) => slope)).toEqual([4]);
  });

  it.each([
    [
      "parameterTrace: the readings have no weight tensor 'no', only first/kernel, first/bias, second/kernel.",
      parameterTrace,
    ],
    ["layerTrace: the readings have no layer 'no', only first, second.", layerTrace],
    ["layerScale: the readings have no layer with a free scale 'no', only first, second.", layerScale],
  ])('%s', async (message, operator) => {
    await expect(lastValueFrom((operator as typeof layerTrace)('no')(of(reading(1, 1))))).rejects.toThrow(message);
    for (const name of ['', undefined, 3]) {
      expect(() => operator(name as string)).toThrow(new RegExp(`^${operator.name}: the name of a [^\n]* is wanted`));
    }
  });

  it('says so where no layer has a free scale', async () => {
    await expect(lastValueFrom(of(readingOf(1)).pipe(layerScale('first')))).rejects.toThrow('only none.');
  });
});
