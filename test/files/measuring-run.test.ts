import { expect, test, vi } from 'vitest';
import { complainOf, Failure } from '../../src/files/failure.js';
import { measuringOptions, measuringRun } from '../../src/files/measuring-run.js';

test('words become options of measureFiles', () => {
  expect(measuringOptions({ data: ['a=1.npy', 'b=2.npy'], memory: 5, tolerance: 0.1 })).toMatchObject({
    data: { a: '1.npy', b: '2.npy' },
    memoryMB: 5,
    method: { tolerance: 0.1 },
  });
  expect(measuringOptions({ random: 3, method: 'pairs=3', part: 0.5 })).toMatchObject({
    method: { pairs: 3 },
    part: 0.5,
  });
});

test('exit codes by what is to blame', async () => {
  const complain = vi.fn();
  complainOf(new Error('wrong'), complain);
  complainOf(new Failure('gone'), complain);
  await measuringRun(['a'], { method: 'none' }, { one: () => {}, end: () => {} }, complain);
  expect(complain.mock.calls).toEqual([
    ['wrong', 2],
    ['gone', 1],
    ['--method none is not known: exact, pairs=256 or hutchinson=30.', 2],
  ]);
});
