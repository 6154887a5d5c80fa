import { expect, it } from 'vitest';
import { csvOf } from '../../src/chart/readings-csv.js';
import { recordedRuns } from '../../src/chart/recorded-runs.js';

it('each reading is a row, as it came; columns are those of all; with several runs their names come first', () => {
  const record = recordedRuns({ trace: true, layers: true });
  const one = record.addRun('SAM, "1"');
  record.take([
    { run: one, step: 2, reading: { minimumSharpness: 3.5, standardError: 0.25 } },
    { run: one, step: 2, problem: { kind: 'failed', message: 'no' } },
    { run: one, step: 1, reading: { minimumSharpness: Number.NaN, scales: [{ layer: 'a', alpha: 2 }] } },
  ]);
  expect(csvOf(record).split('\n')).toEqual([
    'step,epoch,minimumSharpness,standardError,assumptions,alpha/a',
    '2,,3.5,0.25,,',
    '1,,NaN,,,2',
    '',
  ]);
  record.addRun('other');
  expect(csvOf(record).split('\n')[1]).toBe('"SAM, ""1""",2,,3.5,0.25,,');
});

it('a field of a reading that is named as the column of runs is kept beside it', () => {
  const record = recordedRuns({ trace: true, layers: true });
  const [one] = [record.addRun('one'), record.addRun('two')];
  record.take([{ run: one, step: 2, reading: { minimumSharpness: 3, run: 7 } as never }]);
  expect(csvOf(record).split('\n')).toEqual(['run,step,epoch,minimumSharpness,run_2,assumptions', 'one,2,,3,7,', '']);
});

it('texts and columns of a reading that a spreadsheet would take for a formula are text', () => {
  const record = recordedRuns({ trace: true, layers: true });
  const reading = { minimumSharpness: Number.NEGATIVE_INFINITY, note: '-1+1', '=x': -2e-9, assumptions: ['=A("b")'] };
  record.take([{ run: record.addRun('one'), step: 1, reading }]);
  expect(csvOf(record).split('\n')).toEqual([
    "step,epoch,minimumSharpness,note,'=x,assumptions",
    `1,,-Infinity,'-1+1,-2e-9,"'=A(""b"")"`,
    '',
  ]);
});

it('a name that a spreadsheet would take for a formula is text; numbers stay numbers', () => {
  const record = recordedRuns({ trace: true, layers: true });
  for (const name of ['=1+1', '+a', '-b', '@c', 'd=']) {
    record.take([{ run: record.addRun(name), step: 1, reading: { minimumSharpness: -3 } }]);
  }
  const rows = csvOf(record).trimEnd().split('\n').slice(1);
  expect(rows).toEqual(["'=1+1,1,,-3,", "'+a,1,,-3,", "'-b,1,,-3,", "'@c,1,,-3,", 'd=,1,,-3,']);
});
