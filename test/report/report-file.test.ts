import { mkdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readReportFile } from '../../src/report/report-file.js';
import { falling, lines, reading, testFolder } from './readings.js';

const folder = testFolder();
const read = (name: string, content: string | Uint8Array) => readReportFile(folder.write(name, content), 'run');

describe('kinds are told by what is in a file', () => {
  it.each([
    ['JSON lines', 'a.txt', lines(falling(3))],
    ['JSON', 'b.jsonl', JSON.stringify(falling(3), undefined, 2)],
    ['CSV', 'c.dat', 'step,minimumSharpness\n1,2\n2,2\n3,2\n'],
  ])('%s', async (kind, name, content) => {
    const file = await read(name, content);
    expect(file.kind).toBe(kind);
    expect(file.runs.map((run) => [run.name, run.points.length])).toEqual([['run', 3]]);
  });

  it('also as PowerShell writes it', async () => {
    const utf16 = new Uint8Array(Buffer.from(`\ufeff${JSON.stringify(falling(2))}\r\n`, 'utf16le'));
    expect((await read('w.json', utf16)).runs[0]!.points).toHaveLength(2);
  });
});

it.each([undefined, 2])('an object of lists of readings is runs by their names, also in one line', async (indent) => {
  const file = await read('both.json', JSON.stringify({ SGD: falling(2), SAM: falling(3) }, undefined, indent));
  expect(file).toMatchObject({ kind: 'JSON', runs: [{ name: 'run, SGD' }, { name: 'run, SAM' }], notes: [] });
});

it('the prefixes in a folder of event files are runs by their names', async () => {
  const file = await readReportFile('test/fixtures/report', 'logs');
  expect(file).toMatchObject({ kind: 'TensorBoard', runs: [{ name: 'logs, keras' }, { name: 'logs, sharpness' }] });
});

it.each([
  ['empty.jsonl', '', /is empty\.$/],
  ['blank.jsonl', '\n \0\0\n', /is empty\.$/],
  ['page.html', '<!doctype html><title>404</title>', /is none of what a report is made of/],
  ['table.csv', 'epoch,loss\n1,2\n', /is none of what a report is made of/],
  ['logs.jsonl', '{"loss":1}\n{"loss":2}\n', /holds no readings: 2 objects without a number minimumSharpness\.$/],
  ['cut.json', '[{"minimumSharpness":1},\n', /is no JSON, or was cut off/],
  [
    'broken.jsonl',
    '{"step":1,"minimumSharpness":2,"tr',
    /holds no readings; 1 broken line left out, the first is line 1\.$/,
  ],
  ['events.out.tfevents.1.x', 'not of TensorBoard', /holds no readings; the last 18 bytes/],
])('%s is refused in one line', async (name, content, message) => {
  const error = await read(name, content).catch((thrown: Error) => thrown);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).not.toContain('\n');
});

it('so are folders without event files, events without readings, and what is not there', async () => {
  mkdirSync(folder.at('empty'));
  await expect(readReportFile(folder.at('empty'), '')).rejects.toThrow(/is a folder without event files/);
  await expect(readReportFile(folder.at('nothing'), '')).rejects.toThrow(/^cannot read .*ENOENT/);
  const other = 'test/fixtures/report/events.out.tfevents.1700000000.other.1.0.v2';
  await expect(readReportFile(other, '')).rejects.toThrow("holds no readings; other tags left out: 'epoch_loss'.");
});

it('says what is left out', async () => {
  const file = await read('mixed.jsonl', lines([reading(1, 1), { wandb: 3 }, reading(2, 1), reading(1, 5)]));
  expect(file.notes).toEqual([
    '1 object left out, which are no readings',
    '1 reading replaced by later ones of the same steps, since the training was resumed',
  ]);
});

it('a saved model that was measured again says nothing of a training that was resumed', async () => {
  const of = (step: number) => ({ model: `epoch-${step}/model.json`, ...reading(step, 1) });
  const file = await read('watched.jsonl', lines([of(1), of(2), of(3), of(2)]));
  expect(file.notes).toEqual(['1 reading replaced by later ones of the same step']);
});
