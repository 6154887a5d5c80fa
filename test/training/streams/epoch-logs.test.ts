import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import type { SharpnessReading } from '../../../src/measure/reading.js';
import { type EpochLogs, withEpochLogs } from '../../../src/training/streams/epoch-logs.js';
import { readingOf } from './readings.js';

const marbles = (run: Parameters<TestScheduler['run']>[0]) =>
  new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(run);
const reading = (step: number, epoch: number) => readingOf(step, { step, epoch });
const ended = (step: number, epoch: number, batches: number): EpochLogs => ({
  step,
  epoch,
  batches,
  logs: { loss: 1 / step },
});

describe('withEpochLogs', () => {
  it('lets readings wait for the end of their epoch', () => {
    marbles(({ cold, expectObservable }) => {
      const [a, b, c] = [reading(2, 0), reading(4, 0), reading(6, 1)];
      const readings$ = cold('a-b---c|', { a, b, c });
      const logs$ = cold('    ---p---q|', { p: ended(4, 0, 4), q: ended(8, 1, 4) });
      expectObservable(readings$.pipe(withEpochLogs(logs$))).toBe('---(xy)z|', {
        x: { ...a, logs: { loss: 1 / 4 } },
        y: { ...b, logs: { loss: 1 / 4 } },
        z: { ...c, logs: { loss: 1 / 8 } },
      });
    });
  });

  it('joins readings that come after the logs, as replayed ones do', () => {
    marbles(({ cold, expectObservable }) => {
      const late = reading(4, 0);
      const joined = cold('--a|', { a: late }).pipe(withEpochLogs(cold('p--|', { p: ended(4, 0, 4) })));
      expectObservable(joined).toBe('--x|', { x: { ...late, logs: { loss: 1 / 4 } } });
    });
  });

  it('does not take the same epoch of another fit for the same epoch', () => {
    marbles(({ cold, expectObservable }) => {
      // The first fit threw after 2 batches; epoch 0 of the second has batches 3 to 6.
      const [a, b] = [reading(2, 0), reading(6, 0)];
      const readings$ = cold('ab-|', { a, b });
      const logs$ = cold('    --p|', { p: ended(6, 0, 4) });
      expectObservable(readings$.pipe(withEpochLogs(logs$))).toBe('--x|', { x: { ...b, logs: { loss: 1 / 6 } } });
    });
  });

  it('keeps readings of the next epoch waiting', () => {
    marbles(({ cold, expectObservable }) => {
      const [a, b] = [reading(4, 0), reading(5, 1)];
      const readings$ = cold('(ab)   |', { a, b });
      const logs$ = cold('    -----p-q|', { p: ended(4, 0, 4), q: ended(8, 1, 4) });
      expectObservable(readings$.pipe(withEpochLogs(logs$))).toBe('-----x-y|', {
        x: { ...a, logs: { loss: 1 / 4 } },
        y: { ...b, logs: { loss: 1 / 8 } },
      });
    });
  });

  it('drops readings that belong to no epoch', () => {
    marbles(({ cold, expectObservable }) => {
      const joined = cold('a--|', { a: readingOf(1) }).pipe(withEpochLogs(cold('-p-|', { p: ended(4, 0, 4) })));
      expectObservable(joined).toBe('---|');
    });
  });

  it('hands on errors, and lets go of both streams', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const readings$ = cold<SharpnessReading>('-#');
      const logs$ = cold<EpochLogs>('---');
      expectObservable(readings$.pipe(withEpochLogs(logs$))).toBe('-#');
      expectSubscriptions(logs$.subscriptions).toBe('^!');
    });
  });

  it('wants the logs, at the call', () => {
    for (const wrong of [undefined, null, {}]) {
      expect(() => withEpochLogs(wrong as never)).toThrow(
        /^withEpochLogs: [^\n]*withEpochLogs\(sharpness\.logs\$\)\.$/,
      );
    }
  });
});
