import { expect, it } from 'vitest';
import type { ChartReading } from '../../src/chart/reading-words.js';
import { type Entry, type Run, recordedRuns } from '../../src/chart/recorded-runs.js';

const all = { trace: true, layers: true };
const entry = (run: Run, step: number, minimumSharpness: number, more: Partial<ChartReading> = {}): Entry => ({
  run,
  step,
  reading: { minimumSharpness, ...more },
});

function record(drawn = all) {
  const runs = recordedRuns(drawn);
  return { ...runs, column: (column: number) => [...runs.rows.columns[column]!] };
}

it('two runs share rows, and neither has values at the steps of the other', () => {
  const { addRun, take, rows, column, lastReading } = record();
  const [one, two] = [addRun('one'), addRun('two')];
  take([entry(one, 10, 1), entry(one, 30, 3)]);
  take([entry(two, 20, 5, { trace: 7 })]);
  expect(rows.x).toEqual([10, 20, 30]);
  expect(column(one.columns.value)).toEqual([1, undefined, 3]);
  expect(column(two.columns.value)).toEqual([undefined, 5, undefined]);
  expect(column(two.columns.trace)).toEqual([undefined, 7, undefined]);
  expect(lastReading(one, 1)?.minimumSharpness).toBe(1);
  expect(lastReading(two, 0)).toBe(undefined);
});

it('a band is there where the error can be trusted, and a ring where it cannot', () => {
  const { addRun, take, column } = record();
  const { columns } = addRun('one');
  const run = { columns, name: 'one', index: 0, layers: new Map() };
  take([
    entry(run, 1, 10, { standardError: 1, reliable: true }),
    entry(run, 2, 20, { standardError: 1, reliable: false }),
    entry(run, 3, 30),
    entry(run, 4, Number.NaN, { reliable: false }),
  ]);
  expect(column(columns.high)).toEqual([12.086, null, 30, null]);
  expect(column(columns.low)).toEqual([7.914, null, 30, null]);
  expect(column(columns.unreliable)).toEqual([undefined, 20, undefined, undefined]);
});

it('what is not finite breaks the line and is marked, as problems are', () => {
  const { addRun, take, marks, column, span } = record();
  const run = addRun('one');
  take([
    entry(run, 1, Number.NaN),
    entry(run, 2, Number.POSITIVE_INFINITY, { epoch: 0 }),
    { run, step: 2, problem: { kind: 'skipped', message: 'no labels.', epoch: 0 } },
  ]);
  expect(column(run.columns.value)).toEqual([null, null]);
  expect([...marks]).toEqual([
    { at: 1, kind: 'failed', text: 'batch 1: Minimum Sharpness is NaN' },
    { at: 2, kind: 'failed', text: 'batch 2, epoch 1: Minimum Sharpness is Infinity' },
    { at: 2, kind: 'skipped', text: 'batch 2, epoch 1: skipped: no labels.' },
  ]);
  expect(span.most).toBe(0);
});

it('a run that goes back to an earlier step replaces what it passes again, no zigzag, and nothing is lost', () => {
  const { addRun, take, rows, column, entries, at, lastReading } = record();
  const [other, run] = [addRun('other'), addRun('resumed')];
  take([entry(other, 25, 9), ...[10, 20, 30, 40].map((step) => entry(run, step, step))]);
  take([entry(run, 15, 1), entry(run, 27, 2)]);
  // The end of the first time is there until the second one passes it.
  expect(rows.x).toEqual([10, 15, 20, 25, 27, 30, 40]);
  expect(column(run.columns.value)).toEqual([10, 1, undefined, undefined, 2, 30, 40]);
  expect(column(other.columns.value)[3]).toBe(9);
  take([entry(run, 40, 3)]);
  expect(column(run.columns.value)).toEqual([10, 1, undefined, undefined, 2, undefined, 3]);
  expect(entries).toHaveLength(8);
  expect(lastReading(run, 5)?.minimumSharpness).toBe(2);
  expect(at(6).map(({ reading }) => reading?.minimumSharpness)).toEqual([3]);
  expect(at(2)).toEqual([]);
});

it('readings that come the other way round are all drawn', () => {
  const { addRun, take, column } = record();
  const run = addRun('one');
  for (const step of [4, 3, 2, 1]) {
    take([entry(run, step, step)]);
  }
  expect(column(run.columns.value)).toEqual([1, 2, 3, 4]);
});

it('layers have columns of their own, if they are drawn', () => {
  const layer = {
    parameters: [{ name: 'a/kernel', layer: 'a', trace: 2, standardError: 0 }],
    scales: [{ layer: 'a', alpha: 3 }],
  };
  const { addRun, take, column, layers } = record();
  const run = addRun('one');
  take([entry(run, 1, 1), entry(run, 2, 1, layer)]);
  const { trace, alpha } = run.layers.get('a')!;
  expect([column(trace), column(alpha!)]).toEqual([
    [undefined, 2],
    [undefined, 3],
  ]);
  expect([...layers.keys()]).toEqual(['a']);
  const without = record({ trace: false, layers: false });
  without.take([entry(without.addRun('one'), 1, 1, { ...layer, trace: 1e9 })]);
  expect(without.layers.size).toBe(0);
  expect(without.span.most).toBe(1);
});

it('ten thousand readings between those of another run come in without a long pause: rows are merged once a lot', () => {
  const { addRun, take, rows } = record();
  const [one, two] = [addRun('one'), addRun('two')];
  const steps = Array.from({ length: 10_000 }, (_, i) => 2 * i);
  take(steps.map((step) => entry(one, step, 1)));
  let copied = 0;
  const { addRows } = rows;
  rows.addRows = (at) => {
    copied++;
    addRows(at);
  };
  take(steps.map((step) => entry(two, step + 1, 1)));
  expect(rows.x).toHaveLength(20_000);
  expect(copied).toBe(1);
});

it('a reading that replaces another takes all of it along: its mark, its trace and its layers', () => {
  const { addRun, take, marks, column } = record();
  const [run, other] = [addRun('one'), addRun('other')];
  const layer = { parameters: [{ name: 'a/kernel', layer: 'a', trace: 2, standardError: 0 }] };
  const infinite = Number.POSITIVE_INFINITY;
  take([entry(run, 8, infinite, { trace: 7, ...layer }), entry(run, 9, infinite), entry(other, 8, infinite)]);
  take([{ run, step: 8, problem: { kind: 'failed', message: 'no.' } }]);
  take([entry(run, 8, 50)]);
  const texts = () => [...marks].map(({ at, text }) => `${at} ${text}`);
  expect(column(run.columns.value)).toEqual([50, null]);
  expect(column(run.columns.trace)).toEqual([undefined, undefined]);
  expect(column(run.layers.get('a')!.trace)).toEqual([undefined, undefined]);
  const left = ['8 batch 8: Minimum Sharpness is Infinity', '8 batch 8: failed: no.'];
  expect(texts()).toEqual(['9 batch 9: Minimum Sharpness is Infinity', ...left]);
  take([entry(run, 10, 1)]);
  expect(texts()).toEqual(left);
});

it('a band has both ends or none', () => {
  const { addRun, take, column } = record();
  const run = addRun('one');
  take([entry(run, 1, -1.7e308, { standardError: 1e307, reliable: true })]);
  expect([column(run.columns.high), column(run.columns.low)]).toEqual([[null], [null]]);
});

it('a network that has collapsed is marked, each time', () => {
  const { addRun, take, marks } = record();
  const run = addRun('one');
  take([entry(run, 1, 3), entry(run, 2, 1e-9, { collapsed: true }), entry(run, 3, 1e-9, { collapsed: true })]);
  expect([...marks].map(({ at, kind }) => [at, kind])).toEqual([
    [2, 'skipped'],
    [3, 'skipped'],
  ]);
});
