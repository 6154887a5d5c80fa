import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { from, merge, Subject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SharpnessReading } from '../../../src/measure/reading.js';
import { jsonLinesWriter, readJsonLines } from '../../../src/node.js';
import type { EpochLogs } from '../../../src/training/streams/epoch-logs.js';
import { readingsOf } from '../streams/readings.js';
import { trainingReadings } from '../tensorboard/training.js';

let folder: string;
let path: string;
let warn: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'json-lines-'));
  path = join(folder, 'runs', 'readings.jsonl');
  warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(folder, { recursive: true });
});
const content = () => fs.readFileSync(path, 'utf8');
const warned = () => warn.mock.calls.map(([line]: unknown[]) => String(line));

describe('jsonLinesWriter', () => {
  it('writes all that is in a reading, a line each, as soon as it comes', () => {
    const readings = trainingReadings(3);
    const writer = jsonLinesWriter(path);
    readings.forEach((reading, i) => {
      writer.next(reading);
      expect(
        content()
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line)),
      ).toEqual(readings.slice(0, i + 1));
    });
    writer.complete();
    expect(readJsonLines(path)).toEqual(readings);
  });

  it('keeps numbers that JSON has none for, and names that look like them', () => {
    const scales = [0, Infinity, 1e-320].map((alpha) => ({ layer: 'Infinity', alpha }));
    const parameters = [{ name: 'NaN', layer: 'NaN', trace: Number.NaN, standardError: -Infinity }];
    const [reading] = readingsOf([Number.POSITIVE_INFINITY]);
    const written: SharpnessReading = { ...reading!, scales, parameters };
    jsonLinesWriter(path).next(written);
    expect(readJsonLines(path)).toEqual([written]);
    expect(content()).toContain('"minimumSharpness":"Infinity"');
  });

  it('takes epoch logs into the same file', () => {
    const readings$ = new Subject<SharpnessReading>();
    const logs$ = new Subject<EpochLogs>();
    merge(readings$, logs$).subscribe(jsonLinesWriter(path));
    const [reading] = readingsOf([1]);
    const logs = { step: 10, epoch: 0, batches: 10, logs: { loss: Number.NaN } };
    readings$.next(reading!);
    logs$.next(logs);
    expect(readJsonLines<SharpnessReading | EpochLogs>(path)).toEqual([reading, logs]);
  });

  it('goes on with a file of a training that was killed, whatever its last line has become', () => {
    const [first, second, third] = readingsOf([1, 2, 3]) as [SharpnessReading, SharpnessReading, SharpnessReading];
    const line = JSON.stringify(second);
    for (const [tail, kept, cut] of [
      [`${line}\n`, [first, second, third], false],
      [line, [first, second, third], false],
      [line.slice(0, 40), [first, third], true],
      [Buffer.from('{"a":"é').subarray(0, 7), [first, third], true],
      ['\0'.repeat(100), [first, third], true],
    ] as const) {
      warn.mockClear();
      fs.rmSync(path, { force: true });
      jsonLinesWriter(path).next(first);
      fs.appendFileSync(path, tail);
      jsonLinesWriter(path).next(third);
      expect(readJsonLines(path)).toEqual(kept);
      expect(warned()).toEqual(cut ? [expect.stringMatching(/^jsonLinesWriter: the last line of .* was cut off/)] : []);
    }
  });

  it('refuses what is no file of JSON lines, and leaves it as it is', () => {
    jsonLinesWriter(path);
    for (const text of ['{\n  "name": "x"\n}\n', 'step,epoch\n1,2\n', 'hello', '[1', '5\n']) {
      fs.writeFileSync(path, text);
      expect(() => jsonLinesWriter(path)).toThrow(
        `jsonLinesWriter: cannot write to '${path}': it is there, and no file of JSON lines: name another`,
      );
      expect(content()).toBe(text);
    }
    expect(() => jsonLinesWriter(folder)).toThrow(/^jsonLinesWriter: cannot write to '.*': EISDIR/);
    for (const wrong of ['', undefined, 5]) {
      expect(() => jsonLinesWriter(wrong as string)).toThrow(/^jsonLinesWriter: path must name the file/);
    }
  });

  it('survives the removal of its folder, and says so', () => {
    const readings = readingsOf([1, 2, 3]);
    const writer = jsonLinesWriter(path);
    writer.next(readings[0]!);
    fs.rmSync(join(folder, 'runs'), { recursive: true });
    writer.next(readings[1]!);
    writer.next(readings[2]!);
    expect(readJsonLines(path)).toEqual(readings.slice(1));
    expect(warned()).toEqual([expect.stringMatching(/was removed/)]);
  });

  it('never throws', () => {
    const writer = jsonLinesWriter(path);
    const circle: Record<string, unknown> = {};
    circle.circle = circle;
    from([null, circle, 3, readingsOf([1])[0]] as object[]).subscribe(writer);
    expect(readJsonLines(path)).toHaveLength(1);
    expect(warned()).toEqual([
      expect.stringMatching(/misses readings, writing failed: null is no reading$/),
      expect.stringMatching(/misses readings, writing failed: Converting circular structure to JSON/),
      expect.stringMatching(/misses readings, writing failed: 3 is no reading$/),
    ]);
    expect(warned().join('')).not.toContain('\n');
  });

  it.skipIf(!fs.existsSync('.venv/bin/python'))('writes what Python reads', () => {
    from(trainingReadings(4)).subscribe(jsonLinesWriter(path));
    const code = 'import json, sys; print(json.dumps([json.loads(line) for line in open(sys.argv[1])]))';
    expect(JSON.parse(execFileSync('.venv/bin/python', ['-c', code, path], { encoding: 'utf8' }))).toEqual(
      trainingReadings(4),
    );
  });
});

describe('readJsonLines', () => {
  it('leaves out a last line that was cut off, and says which other line is broken', () => {
    fs.mkdirSync(join(folder, 'runs'));
    fs.writeFileSync(path, '{"a":1}\n\n{"a":"NaN"}\r\n{"a":');
    expect(readJsonLines(path)).toEqual([{ a: 1 }, { a: Number.NaN }]);
    fs.appendFileSync(path, '\n{"a":3}\n');
    expect(() => readJsonLines(path)).toThrow(/^readJsonLines: line 4 of '.*' is not JSON: /);
    expect(() => readJsonLines(join(folder, 'none'))).toThrow(/^readJsonLines: cannot read '.*none': ENOENT/);
  });
});
