import { expect, it } from 'vitest';
import { runRecorder } from '../../src/report/report-run.js';
import { reading } from './readings.js';

function runOf(objects: readonly object[]) {
  const recorder = runRecorder();
  for (const each of objects) {
    recorder.take(each);
  }
  return recorder.run('run');
}

it('marks what is not as it should be, and gives such an error no interval', () => {
  const { points } = runOf([
    reading(1, 5),
    reading(2, 5, { reliable: false }),
    reading(3, 0.1, { collapsed: true }),
    reading(4, 'Infinity'),
    reading(5, null),
  ]);
  expect(points.map(({ flaws }) => flaws)).toEqual([[], ['unreliable'], ['collapsed'], ['infinite'], ['infinite']]);
  expect(points[0]).toMatchObject({ low: 5 - 2.086 * 0.5, high: 5 + 2.086 * 0.5 });
  expect(points[1]).not.toHaveProperty('low');
  expect(points[2]!.low).toBe(0);
  expect(points[3]).not.toHaveProperty('high');
});

it('shows what the chart shows of a training that was resumed: later readings, and older ones beyond them', () => {
  const run = runOf([reading(1, 1), reading(2, 2), reading(3, 3), reading(4, 4), reading(2, 20), reading(3, 30)]);
  expect(run.points.map(({ at, reading: { minimumSharpness } }) => [at, minimumSharpness])).toEqual([
    [1, 1],
    [2, 20],
    [3, 30],
    [4, 4],
  ]);
  expect(run.replaced).toBe(2);
});

it('sorts problems, logs and what a controller sets from readings, and counts the rest', () => {
  const run = runOf([
    { step: 5, epoch: 0, batches: 5, logs: { loss: 0.5, note: 'x' } },
    reading(10, 5, { loss: 0.25, logs: { acc: 0.9 } }),
    { kind: 'skipped', step: 12, epoch: 0, message: 'no batch' },
    { name: 'learning_rate', value: 0.1, previous: 0.2, step: 12 },
    { level: 30, msg: 'hello' },
    { minimumSharpness: 'much' },
  ]);
  expect(run.points).toHaveLength(1);
  expect(run.problems).toEqual([{ kind: 'skipped', at: 12, step: 12, epoch: 0, message: 'no batch' }]);
  expect([...run.logged]).toEqual([
    ['loss', [{ at: 5, value: 0.5 }]],
    ['acc', [{ at: 10, value: 0.9 }]],
    ['loss, measured', [{ at: 10, value: 0.25 }]],
    ['set: learning_rate', [{ at: 12, value: 0.1 }]],
  ]);
  expect(run.others).toBe(2);
});

it('numbers checkpoints in their order, and keeps those that failed as problems', () => {
  const run = runOf([
    reading(undefined, 3, { model: 'a.keras' }),
    { model: 'b.keras', problem: 'is cut off', kind: 'input' },
    reading(undefined, 2, { model: 'c.keras' }),
  ]);
  expect(run.hasSteps).toBe(false);
  expect(run.points.map(({ at, model }) => [at, model])).toEqual([
    [1, 'a.keras'],
    [2, 'c.keras'],
  ]);
  expect(run.problems).toMatchObject([{ kind: 'failed', message: 'b.keras: is cut off' }]);
});

it('a loss that is not finite is a number, as JSON and jsonLinesWriter have it, and what is none is left out', () => {
  const run = runOf([
    reading(1, 3, { loss: null, logs: { loss: 'NaN' } }),
    reading(2, 3, { loss: 'Infinity', logs: { loss: null } }),
    reading(3, 3, { loss: 'foo' }),
  ]);
  expect([...run.logged]).toEqual([
    [
      'loss',
      [
        { at: 1, value: Number.NaN },
        { at: 2, value: Number.NaN },
      ],
    ],
    [
      'loss, measured',
      [
        { at: 1, value: Number.NaN },
        { at: 2, value: Number.POSITIVE_INFINITY },
      ],
    ],
  ]);
  expect(run.points.map(({ reading: { loss } }) => loss)).toEqual([Number.NaN, Number.POSITIVE_INFINITY, undefined]);
});

it('checkpoints of a run lie over their steps, whenever they were measured, and the last reading of each counts', () => {
  const recorder = runRecorder();
  const of = (step: number, minimumSharpness: number) => ({ model: `epoch-${step}.keras`, step, minimumSharpness });
  for (const each of [of(1, 9), of(2, 8), of(4, 6), of(3, 7), of(5, 5), of(2, 80)]) {
    recorder.take(each);
  }
  const { unit, points } = recorder.run('watched');
  expect(unit).toBe('step');
  expect(points.map(({ at, reading: { minimumSharpness } }) => [at, minimumSharpness])).toEqual([
    [1, 9],
    [2, 80],
    [3, 7],
    [4, 6],
    [5, 5],
  ]);
});
