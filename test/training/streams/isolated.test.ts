import { concatMap, delay, map, merge, of, Subject, take, tap, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isolated } from '../../../src/training/streams/isolated.js';

const fault = new Error('subscriber at fault');
const fail = () => {
  throw fault;
};
const reject = async () => {
  await undefined;
  throw fault;
};

describe('isolated', () => {
  const uncaught: unknown[] = [];
  const listener = (error: unknown) => uncaught.push(error);
  beforeEach(() => {
    uncaught.length = 0;
    process.on('uncaughtException', listener);
    process.on('unhandledRejection', listener);
  });
  afterEach(() => {
    process.off('uncaughtException', listener);
    process.off('unhandledRejection', listener);
  });
  const aMoment = () => new Promise((resolve) => setTimeout(resolve, 20));

  it.each<[string, (stream: ReturnType<typeof isolated<number>>) => void]>([
    ['a function', (stream) => stream.subscribe(fail)],
    ['an observer', (stream) => stream.subscribe({ next: fail })],
    ['after an operator', (stream) => stream.pipe(tap(() => {})).subscribe(fail)],
    ['in an operator', (stream) => stream.pipe(map(fail)).subscribe()],
    ['after a delay', (stream) => stream.pipe(delay(1)).subscribe(fail)],
    ['after two pipes', (stream) => stream.pipe(delay(1)).pipe(map(String)).subscribe({ next: fail })],
    ['in an error handler', (stream) => stream.pipe(map(fail)).subscribe({ error: fail })],
    ['on completion', (stream) => stream.pipe(take(1)).subscribe({ complete: fail })],
    ['an async function', (stream) => stream.subscribe(reject)],
    ['an async observer', (stream) => stream.subscribe({ next: reject })],
    ['an async function after operators', (stream) => stream.pipe(delay(1), map(String)).subscribe(reject)],
    ['an async error handler', (stream) => stream.pipe(map(fail)).subscribe({ error: reject })],
    ['async on completion', (stream) => stream.pipe(take(1)).subscribe({ complete: reject })],
    ['an operator that waits', (stream) => stream.pipe(concatMap(reject)).subscribe()],
    ['an async function for each', (stream) => void stream.forEach(reject)],
  ])('reports what is thrown by %s', async (_, subscribe) => {
    const source = new Subject<number>();
    const reported: unknown[] = [];
    const stream = isolated(source, (error) => reported.push(error));
    subscribe(stream);
    const seen: number[] = [];
    stream.subscribe((value) => seen.push(value));
    source.next(1);
    source.next(2);
    await aMoment();
    expect(reported.length).toBeGreaterThan(0);
    expect(new Set(reported)).toEqual(new Set([fault]));
    expect(seen).toEqual([1, 2]);
    expect(uncaught).toEqual([]);
  });

  it('is waited for by forEach, with what its function throws at once', async () => {
    const reported: unknown[] = [];
    const stream = isolated(of(1, 2), (error) => reported.push(error));
    const seen: number[] = [];
    await stream.forEach((value) => {
      seen.push(value);
    });
    expect(seen).toEqual([1, 2]);
    await expect(stream.forEach(fail)).rejects.toBe(fault);
    expect(reported).toEqual([]);
  });

  it('keeps a subscriber that threw', () => {
    const source = new Subject<number>();
    const seen: number[] = [];
    isolated(source, () => {}).subscribe((value) => {
      seen.push(value);
      if (value === 1) {
        throw fault;
      }
    });
    source.next(1);
    source.next(2);
    expect(seen).toEqual([1, 2]);
  });

  it('leaves a handled error to its handler', () => {
    const reported: unknown[] = [];
    const handled: unknown[] = [];
    isolated(of(1), (error) => reported.push(error))
      .pipe(map(fail))
      .subscribe({ error: (error) => handled.push(error) });
    expect(handled).toEqual([fault]);
    expect(reported).toEqual([]);
  });

  it('is a stream like any other', () => {
    const source = new Subject<number>();
    const stream = isolated(source, fail);
    const results: unknown[] = [];
    const observer = {
      values: [] as number[],
      next(value: number) {
        this.values.push(value);
      },
    };
    const subscription = stream.subscribe(observer);
    merge(stream, stream.pipe(map((value) => -value)))
      .pipe(toArray())
      .subscribe((values) => results.push(values));
    const target = new Subject<number>();
    target.pipe(toArray()).subscribe((values) => results.push(values));
    stream.subscribe(target);
    const completed: string[] = [];
    stream.subscribe(undefined, undefined, () => completed.push('third argument'));
    stream.subscribe({ complete: () => completed.push('observer') });
    source.next(1);
    subscription.unsubscribe();
    source.next(2);
    source.complete();
    expect(observer.values).toEqual([1]);
    expect(results).toEqual([
      [1, -1, 2, -2],
      [1, 2],
    ]);
    expect(completed).toEqual(['third argument', 'observer']);
  });
});
