import { expect, it } from 'vitest';
import { recordedRuns } from '../../src/chart/recorded-runs.js';
import { textOfLatest, textOfRow, timeOfRow } from '../../src/chart/row-words.js';

it('a row says its time once, and all that runs have there', () => {
  const record = recordedRuns({ trace: true, layers: true });
  const one = record.addRun('one');
  record.take([{ run: one, step: 375, reading: { minimumSharpness: 2 } }]);
  expect(textOfRow(record, 0)).toBe('batch 375; Minimum Sharpness 2');
  const two = record.addRun('two');
  record.take([
    { run: two, step: 375, reading: { minimumSharpness: 3, epoch: 2 } },
    { run: two, step: 400, problem: { kind: 'skipped', message: 'none.' } },
  ]);
  expect(textOfRow(record, 0)).toBe('batch 375, epoch 3; one: Minimum Sharpness 2; two: Minimum Sharpness 3');
  expect(timeOfRow(record, 1)).toBe('batch 400');
});

it('what came last is that of the run that goes on, before the end of another one or of its own first time', () => {
  const record = recordedRuns({ trace: true, layers: true });
  expect([record.latestRow(), textOfLatest(record)]).toEqual([-1, '']);
  const [one, two] = [record.addRun('one'), record.addRun('two')];
  record.take([1, 2, 3].map((i) => ({ run: one, step: 600 * i, reading: { minimumSharpness: i } })));
  record.take([{ run: two, step: 60, reading: { minimumSharpness: 9, epoch: 0 } }]);
  expect(record.latestRow()).toBe(0);
  expect(textOfLatest(record)).toBe('batch 60, epoch 1; two: Minimum Sharpness 9');
  record.take([{ run: two, step: 50, problem: { kind: 'failed', message: 'late.' } }]);
  expect(textOfLatest(record)).toBe('batch 60, epoch 1; two: Minimum Sharpness 9');
  record.take([{ run: one, step: 1200, reading: { minimumSharpness: 7 } }]);
  // Batches 50 and 60 are of the other run.
  expect(record.latestRow()).toBe(3);
  expect(textOfLatest(record)).toBe('batch 1200; one: Minimum Sharpness 7');
  expect(record.lastReading(one, record.latestRow())?.minimumSharpness).toBe(7);
});
