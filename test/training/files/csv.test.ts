import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { from, of } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SharpnessReading } from '../../../src/measure/reading.js';
import { csvWriter } from '../../../src/node.js';
import { withEpochLogs } from '../../../src/training/streams/epoch-logs.js';
import { exponentialMovingAverage } from '../../../src/training/streams/exponential-moving-average.js';
import { readingOf, readingsOf } from '../streams/readings.js';

vi.mock('node:fs', async (importOriginal) => {
  const actual = await importOriginal<typeof fs>();
  return { ...actual, readFileSync: vi.fn(actual.readFileSync) };
});

let folder: string;
let path: string;
let warn: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'csv-'));
  path = join(folder, 'runs', 'readings.csv');
  warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(folder, { recursive: true });
});
const content = () => fs.readFileSync(path, 'utf8');
const warned = () => warn.mock.calls.map(([line]: unknown[]) => String(line));

/** Rows by columns, by a reader that shares nothing with the writer. */
function table(): Record<string, string>[] {
  const rows = content()
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const cells = [''];
      let quoted = false;
      for (const character of line) {
        if (character === '"') {
          quoted = !quoted;
          cells[cells.length - 1] += '"';
        } else if (character === ',' && !quoted) {
          cells.push('');
        } else {
          cells[cells.length - 1] += character;
        }
      }
      return cells.map((cell) => (cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell));
    });
  const [header, ...rest] = rows as [string[], ...string[][]];
  return rest.map((cells) => {
    expect(cells).toHaveLength(header.length);
    return Object.fromEntries(cells.map((cell, i) => [header[i]!, cell]));
  });
}
const column = (name: string) => table().map((row) => row[name]);

const reading = readingOf(1 / 3, {
  step: 10,
  epoch: 0,
  scales: [{ layer: 'a', alpha: Number.POSITIVE_INFINITY }],
  parameters: [{ name: 'a/kernel', layer: 'a', trace: 1e-300, standardError: 0 }],
  assumptions: ['Dropout is off.', 'Rows of "x", taken as they are.'],
});

describe('csvWriter', () => {
  it('writes a header and then a row a reading, as soon as it comes', () => {
    const writer = csvWriter(path);
    writer.next(reading);
    expect(table()).toEqual([
      {
        step: '10',
        epoch: '0',
        minimumSharpness: '0.3333333333333333',
        standardError: '0',
        reliable: 'true',
        trace: '0.6666666666666666',
        samples: '10',
        method: 'exact',
        pairs: '20',
        exact: 'true',
        durationMs: '1',
        'alpha/a': 'Infinity',
        'trace/a/kernel': '1e-300',
        assumptions: 'Dropout is off. Rows of "x", taken as they are.',
      },
    ]);
    expect(content().split('\n')[0]).toMatch(/^step,epoch,minimumSharpness,standardError,/);
    writer.next({ ...reading, step: 20, minimumSharpness: Number.NaN, trace: -Infinity });
    writer.complete();
    expect([column('step'), column('minimumSharpness'), column('trace')]).toEqual([
      ['10', '20'],
      ['0.3333333333333333', 'NaN'],
      ['0.6666666666666666', '-Infinity'],
    ]);
  });

  it('has the largest eigenvalues by their rank', () => {
    const of = (value: number) => ({ value, standardError: 0, reliable: true });
    csvWriter(path).next({ ...reading, topEigenvalues: { given: [of(5), of(4)], balanced: [of(3)], pairs: 9 } });
    expect(table()[0]).toMatchObject({ 'eigenvalue/1': '5', 'eigenvalue/2': '4', 'balancedEigenvalue/1': '3' });
  });

  it('gives every number a column of its own', () => {
    const scales = ['h', 'h', 'h_2'].map((layer, alpha) => ({ layer, alpha }));
    csvWriter(path).next({ ...reading, scales });
    expect(table()[0]).toMatchObject({ 'alpha/h': '0', 'alpha/h_3': '1', 'alpha/h_2': '2' });
  });

  it('quotes what needs it, and keeps a row on its line', () => {
    const layer = 'a,"b"\r\nc';
    const writer = csvWriter(path);
    writer.next({ ...reading, scales: [{ layer, alpha: 2 }] });
    // The header is read back, and known again.
    csvWriter(path).next({ ...reading, scales: [{ layer: 'a,"b" c', alpha: 3 }] });
    expect(content().split('\n')).toHaveLength(4);
    expect(column('alpha/a,"b" c')).toEqual(['2', '3']);
  });

  it('has the loss of the epoch, and what operators add', () => {
    const logs = { step: 10, epoch: 0, batches: 10, logs: { loss: 0.25, val_acc: 0.5 } };
    of(reading)
      .pipe(withEpochLogs(of(logs)), exponentialMovingAverage())
      .subscribe(csvWriter(path));
    expect(table()).toEqual([
      expect.objectContaining({ 'logs/loss': '0.25', 'logs/val_acc': '0.5', smoothed: '0.3333333333333333' }),
    ]);
  });

  it('is gone on with under one header', () => {
    for (const readings of [readingsOf([1, 2]), readingsOf([3, 4])]) {
      from(readings).subscribe(csvWriter(path));
    }
    expect(column('minimumSharpness')).toEqual(['1', '2', '3', '4']);
    expect(content().match(/minimumSharpness/g)).toHaveLength(1);
    expect(warned()).toEqual([]);
  });

  it('gets more columns where a reading has them, and empty cells where one has not', () => {
    const writer = csvWriter(path);
    writer.next(readingOf(1, { step: 1, scales: [{ layer: 'a', alpha: 1 }] }));
    writer.next(readingOf(2, { step: 2, scales: [{ layer: 'b', alpha: 2 }] }));
    writer.next(readingOf(3, { step: 3 }));
    csvWriter(path).next(readingOf(4, { scales: [{ layer: 'c', alpha: 4 }] }));
    writer.next(readingOf(5, { step: 5, scales: [{ layer: 'c', alpha: 5 }] }));
    expect(['step', 'minimumSharpness', 'alpha/a', 'alpha/b', 'alpha/c', 'assumptions'].map(column)).toEqual([
      ['1', '2', '3', '', '5'],
      ['1', '2', '3', '4', '5'],
      ['1', '', '', '', ''],
      ['', '2', '', '', ''],
      ['', '', '', '4', '5'],
      ['', '', '', '', ''],
    ]);
    expect(fs.readdirSync(join(folder, 'runs'))).toEqual(['readings.csv']);
  });

  it('loses no row that another process writes while columns are added', () => {
    const [writer, other] = [csvWriter(path), csvWriter(path)];
    writer.next(readingOf(1, { step: 1 }));
    const read = vi.mocked(fs.readFileSync) as unknown as ReturnType<typeof vi.fn>;
    const actual = read.getMockImplementation() as typeof fs.readFileSync;
    for (const [step, scales] of [
      [2, []],
      [3, [{ layer: 'b', alpha: 3 }]],
    ] as const) {
      read.mockImplementationOnce((...given: Parameters<typeof fs.readFileSync>) => {
        const before = actual(...given);
        other.next(readingOf(step, { step, scales }));
        return before;
      });
      writer.next(readingOf(10 * step, { step: 10 * step, scales: [{ layer: `own ${step}`, alpha: 1 }] }));
    }
    expect(column('step')).toEqual(['1', '2', '20', '3', '30']);
    expect(column('alpha/b')).toEqual(['', '', '', '3', '']);
    expect(column('alpha/own 3')).toEqual(['', '', '', '', '1']);
    expect(fs.readdirSync(join(folder, 'runs'))).toEqual(['readings.csv']);
  });

  it('gets more columns through a link, in another folder than it began in, and without blank rows', () => {
    csvWriter(path).next(readingOf(1, { step: 1 }));
    fs.appendFileSync(path, '\n\r\n');
    const cwd = process.cwd();
    process.chdir(folder);
    try {
      fs.symlinkSync(path, 'latest.csv');
      const writer = csvWriter('latest.csv');
      process.chdir('runs');
      writer.next(readingOf(2, { step: 2, scales: [{ layer: 'a', alpha: 1 }] }));
    } finally {
      process.chdir(cwd);
    }
    expect(fs.readlinkSync(join(folder, 'latest.csv'))).toBe(path);
    expect([column('step'), column('alpha/a')]).toEqual([
      ['1', '2'],
      ['', '1'],
    ]);
    expect(warned()).toEqual([]);
  });

  it('takes away a last row that was cut off, for a number may have lost digits', () => {
    csvWriter(path).next(reading);
    const whole = content();
    for (const [tail, rows] of [
      ['20,1,0.5', ['10', '30']],
      ['20,1,0.333,0,true,0.6,10,exact,20,true,1,Infinity,1e-300,x', ['10', '30']],
      ['20,1,0.333,0,true,0.6,10,exact,20,true,1,Infinity,1e-300,x\n', ['10', '20', '30']],
    ] as const) {
      fs.writeFileSync(path, whole + tail);
      csvWriter(path).next({ ...reading, step: 30 });
      expect(column('step')).toEqual(rows);
    }
    expect(warned()).toHaveLength(2);
    expect(warned()[0]).toBe(
      `csvWriter: the last line of '${path}' was cut off when it was written, and is taken away: "20,1,0.5"`,
    );
    // Cut off in its first lines.
    const header = whole.split('\n')[0]!;
    for (const length of [3, 17, 40, header.length, header.length + 9]) {
      fs.writeFileSync(path, whole.slice(0, length));
      csvWriter(path).next({ ...reading, step: 30 });
      expect(column('step')).toEqual(['30']);
    }
  });

  it('goes on with a file that a spreadsheet has saved', () => {
    csvWriter(path).next(reading);
    const [header, row] = content().split('\n') as [string, string];
    const quoted = header
      .split(',')
      .map((cell) => `"${cell}"`)
      .join(',');
    fs.writeFileSync(path, `\ufeff,${quoted}\r\n0,${row}\r\n`);
    csvWriter(path).next({ ...reading, step: 20, scales: [{ layer: 'b', alpha: 7 }] });
    const lines = content().split('\n');
    expect(lines[0]).toBe(`,${header},alpha/b`);
    expect(lines[1]).toBe(`0,${row},`);
    expect(lines[2]).toMatch(/^,20,0,.*,7$/);
  });

  it('refuses what is no file of readings, and leaves it as it is', () => {
    csvWriter(path);
    for (const text of ['epoch,loss\n1,2\n', '{"minimumSharpness":1}\n', 'hello']) {
      fs.writeFileSync(path, text);
      expect(() => csvWriter(path)).toThrow(
        `csvWriter: cannot write to '${path}': it is there, and no file of readings, for it has no column minimumSharpness: name another`,
      );
      expect(content()).toBe(text);
    }
    expect(() => csvWriter('')).toThrow(/^csvWriter: path must name the file/);
  });

  it('survives the removal of its folder, and never throws', () => {
    const writer = csvWriter(path);
    writer.next(reading);
    fs.rmSync(join(folder, 'runs'), { recursive: true });
    writer.next({ ...reading, step: 20 });
    for (const wrong of [null, undefined, {}, { minimumSharpness: 3 }]) {
      writer.next(wrong as never);
    }
    writer.next({ ...reading, step: 30 });
    expect(column('step')).toEqual(['20', '30']);
    expect(warned()).toEqual([
      expect.stringMatching(/was removed/),
      expect.stringMatching(/null is no reading$/),
      expect.stringMatching(/undefined is no reading$/),
      expect.stringMatching(/what came is no reading$/),
    ]);
  });

  it.skipIf(!fs.existsSync('.venv/bin/python'))('writes what Python reads', () => {
    csvWriter(path).next({ ...reading, trace: Number.NaN } satisfies SharpnessReading);
    const code = 'import csv, json, sys; print(json.dumps(list(csv.DictReader(open(sys.argv[1], newline="")))))';
    const rows = JSON.parse(execFileSync('.venv/bin/python', ['-c', code, path], { encoding: 'utf8' }));
    expect(rows).toEqual(table());
    expect(rows[0].trace).toBe('NaN');
  });
});
