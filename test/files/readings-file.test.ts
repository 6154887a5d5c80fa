import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import type { FileReading } from '../../src/files/measure-files.js';
import { checkWritable, readingsFile } from '../../src/files/readings-file.js';
import { jsonLinesFile } from '../../src/training/files/json-lines.js';
import { testFolder } from './saved-model.js';

const folder = testFolder();
const reading = { model: 'a', minimumSharpness: 2 } as FileReading;
const text = '{"model":"a","minimumSharpness":2}\n';

test('a file is made with the first reading, and gone on with; a line that was cut off is told', () => {
  const path = folder.at('new', 'r.jsonl');
  const append = readingsFile('--jsonl', path, jsonLinesFile, vi.fn());
  expect(existsSync(path)).toBe(false);
  append(reading);
  expect(readFileSync(path, 'utf8')).toBe(text);
  writeFileSync(path, `${text}{"mod`);
  const error = vi.spyOn(console, 'error').mockReturnValue();
  readingsFile('--jsonl', path, jsonLinesFile, vi.fn())(reading);
  expect(error.mock.calls).toEqual([
    [`tfjs-sharpness: --jsonl ${path}: its last line was cut off, and is taken away: "{\\"mod"`],
  ]);
  vi.restoreAllMocks();
  expect(readFileSync(path, 'utf8')).toBe(text + text);
});

test('what cannot be written is told with the reading, and others go on', () => {
  const path = folder.at('taken.jsonl');
  const complain = vi.fn();
  const append = readingsFile('--jsonl', path, jsonLinesFile, complain);
  mkdirSync(path);
  append(reading);
  expect(complain.mock.calls).toEqual([[expect.stringMatching(/^--jsonl: '.*taken\.jsonl' misses a, /), 1]]);
  rmSync(path, { recursive: true });
  append(reading);
  expect(readFileSync(path, 'utf8')).toBe(text);
});

test('a file of another kind, a place that is none and a store are refused', () => {
  writeFileSync(folder.at('table.csv'), 'a,b\n');
  expect(() => readingsFile('--jsonl', folder.at('table.csv'), jsonLinesFile, vi.fn())).toThrow(
    /^--jsonl: cannot write to '.*': it is there, and no file of JSON lines: name another$/,
  );
  expect(() => checkWritable('/dev/null/x')).toThrow("'/dev/null' is no folder");
  expect(() => readingsFile('--jsonl', 's3://a/b.jsonl', jsonLinesFile, vi.fn())).toThrow('--jsonl');
  if (process.getuid?.() !== 0) {
    mkdirSync(folder.at('locked'), { mode: 0o500 });
    expect(() => checkWritable(folder.at('locked', 'r'))).toThrow('EACCES');
    chmodSync(folder.at('locked'), 0o700);
  }
});
