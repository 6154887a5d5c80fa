import { expect, it } from 'vitest';
import { valuesOf } from '../../src/chart/reading-words.js';
import { csvOf } from '../../src/chart/readings-csv.js';
import { receivedProblem, receivedReading } from '../../src/chart/received.js';
import { recordedRuns } from '../../src/chart/recorded-runs.js';

it('numbers come as JSON has them, and what is none of them is left out', () => {
  const given = { minimumSharpness: 3, standardError: 'Infinity', trace: null, step: Number.NaN, epoch: '2' };
  const reading = receivedReading({
    ...given,
    scales: null,
    parameters: [null, { layer: 'a', name: 'a/kernel', trace: null }],
  } as never);
  expect(reading).toEqual({
    minimumSharpness: 3,
    standardError: Number.POSITIVE_INFINITY,
    trace: Number.NaN,
    scales: [],
    parameters: [{ layer: 'a', name: 'a/kernel', trace: Number.NaN }],
  });
  expect(valuesOf(reading)).toBe('Minimum Sharpness 3 ± Infinity, trace NaN');
  expect(receivedReading({ minimumSharpness: '-Infinity' } as never).minimumSharpness).toBe(Number.NEGATIVE_INFINITY);
  const record = recordedRuns({ trace: true, layers: true });
  record.take([{ run: record.addRun('one'), step: 1, reading }]);
  expect(csvOf(record)).toContain('1,,3,Infinity,NaN,NaN,');
});

it('what has no Minimum Sharpness is no reading', () => {
  for (const none of [undefined, null, 3, {}, { minimumSharpness: 'low' }]) {
    expect(() => receivedReading(none as never)).toThrow(
      /^sharpnessChart: what came is no reading, .*minimumSharpness\.$/,
    );
  }
});

it('what else a reading holds stays, in its order', () => {
  const given = { seed: 3, step: 2, minimumSharpness: 1, logs: { acc: 0.5 }, pairs: 7 };
  expect(Object.entries(receivedReading(given))).toEqual(Object.entries(given));
});

it('a problem has one line, and a step where it is a number', () => {
  expect(receivedProblem({ kind: 'skipped', step: 3, epoch: 0, message: 'none.', error: 1 })).toEqual({
    kind: 'skipped',
    step: 3,
    epoch: 0,
    message: 'none.',
  });
  expect(receivedProblem({ step: Number.NaN, epoch: null, message: new Error('a\nb') })).toEqual({
    kind: 'failed',
    message: 'a b',
  });
  expect(receivedProblem(undefined)).toEqual({ kind: 'failed', message: 'undefined' });
});

it('names and sentences that come again and again are kept once, and of layers what is shown or put into files', () => {
  const texts = new Map<string, string>();
  const reading = {
    minimumSharpness: 1,
    method: 'exact',
    parameters: [{ name: 'a/kernel', layer: 'a', trace: 2, standardError: 0.5 }],
    scales: [{ layer: 'a', alpha: 2 }],
    assumptions: ['a sentence.'],
  };
  const [first, second] = [receivedReading(reading as never, texts), receivedReading(reading as never, texts)];
  expect(second).toEqual(first);
  expect(first.parameters).toEqual([{ name: 'a/kernel', layer: 'a', trace: 2 }]);
  expect([...texts.keys()].sort()).toEqual(['a', 'a sentence.', 'a/kernel', 'exact']);
});

it('eigenvalues that are none keep their columns, and break no file', () => {
  const record = recordedRuns({ trace: true, layers: true });
  const run = record.addRun('one');
  const top = [
    { given: [{ value: 2, residual: 1 }, null, { value: 'Infinity' }], balanced: 'none', stableBelow: 4 },
    { given: 5 },
    'none',
    null,
  ];
  const readings = top.map((topEigenvalues) => receivedReading({ minimumSharpness: 1, topEigenvalues } as never));
  expect(readings.map(({ topEigenvalues }) => topEigenvalues)).toEqual([
    { given: [{ value: 2 }, { value: Number.NaN }, { value: Number.POSITIVE_INFINITY }], balanced: [], stableBelow: 4 },
    { given: [] },
    undefined,
    undefined,
  ]);
  record.take(readings.map((reading, i) => ({ run, step: i + 1, reading })));
  expect(csvOf(record)).toMatch(/,eigenvalue\/1,eigenvalue\/2,eigenvalue\/3,.*\n1,,1,2,NaN,Infinity,/);
});
