import { expect, it } from 'vitest';
import { runRecorder } from '../../src/report/report-run.js';
import { checkpointNames, placeOf, summaryOf } from '../../src/report/run-words.js';
import { reading } from './readings.js';

function runOf(objects: readonly object[]) {
  const recorder = runRecorder();
  for (const each of objects) {
    recorder.take(each);
  }
  return recorder.run('run');
}

it('sums a training up; the least is none that has collapsed', () => {
  const run = runOf([
    reading(10, 5),
    reading(20, 4),
    reading(30, 0.1, { collapsed: true }),
    reading(40, 6, { reliable: false }),
    { kind: 'failed', step: 45, epoch: 0, message: 'x' },
  ]);
  expect(summaryOf(run)).toBe(
    'last 6 ± 1, error not reliable (batch 40, epoch 1), least 4 ± 1 (batch 20, epoch 1); ' +
      '4 readings, 1 collapsed, 1 with an error that is not reliable; 1 problem',
  );
});

it('names checkpoints by what tells them apart, those that come again by a number', () => {
  const run = runOf(
    ['c/one/model.json', 'c/two/model.json', 'c/one/model.json'].map((model) => reading(undefined, 1, { model })),
  );
  expect([...checkpointNames([run]).values()]).toEqual(['one', 'two', 'one (2)']);
  expect(placeOf(run, run.points[1]!)).toBe('c/two/model.json');
  expect(placeOf(run, { at: 4, reading: run.points[0]!.reading, flaws: [] })).toBe('reading 4');
});
