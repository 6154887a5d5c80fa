import { readFileSync } from 'node:fs';
import type { Observer } from 'rxjs';
import { checkText } from '../../checks.js';
import type { SharpnessReading } from '../../measure/reading.js';
import { reasonOf } from '../../warnings.js';
import { type FileEvents, fileObserver } from './file-observer.js';
import { isBlank, linesFile } from './lines-file.js';

/**
 * An observer that appends each reading to a file, as one line of JSON with all that is in it. Other objects may go into the same file,
 * such as epoch logs and what a controller sets:
 *
 * ```ts
 * merge(sharpness.readings$, sharpness.logs$).subscribe(jsonLinesWriter('readings.jsonl'));
 * ```
 *
 * Every line is with the operating system when the observer returns: a process that is killed loses none. A file that is there is
 * gone on with. If its last line was cut off, by a full disk or a machine that went down, that line is taken away first, with a
 * warning that shows it, so that the next one is not glued to it. The file and its folder are made where they are missing, also in
 * mid-training. It is open only while a line is written.
 *
 * JSON has no infinite numbers and no NaN: they are written as the texts `"Infinity"`, `"-Infinity"` and `"NaN"`, which
 * {@link readJsonLines} makes numbers again.
 *
 * Once it is made it never throws: what cannot be written is lost but for a warning on the console, and later readings are
 * tried again.
 *
 * @param path of the file, for example `'logs/run1/readings.jsonl'`.
 * @throws Error with one line when the file cannot be made or written to, or is no file of JSON lines.
 */
export function jsonLinesWriter(path: string): Observer<object> {
  checkText('jsonLinesWriter: path', path, "name the file, for example 'readings.jsonl'");
  return fileObserver('jsonLinesWriter', path, jsonLinesFile);
}

/**
 * The same without its patience: both this and what it returns throw where the file cannot be written.
 *
 * @returns what appends an object.
 */
export function jsonLinesFile(events: FileEvents, absolute: string): (value: object) => void {
  const file = linesFile(absolute, {
    check(first, ends) {
      // A first line that was cut off is known by its beginning.
      if (!(ends ? isObject(first) : first.startsWith('{'))) {
        throw new Error('it is there, and no file of JSON lines: name another');
      }
    },
    isWhole: isObject,
    ...events,
  });
  file.firstLineIfChanged();
  return (value) => {
    file.firstLineIfChanged();
    file.append(`${jsonText(value)}\n`);
  };
}

/**
 * Reads what {@link jsonLinesWriter} has written, in order, with the numbers that JSON has none for. A last line that was cut off is
 * left out. In a file that a resumed training has gone on with, steps may come twice: the later ones are those of the resumed one.
 *
 * @throws Error with one line when the file cannot be read, or a line of it is not JSON.
 */
export function readJsonLines<T extends object = SharpnessReading>(path: string): T[] {
  checkText('readJsonLines: path', path, "name the file, for example 'readings.jsonl'");
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`readJsonLines: cannot read '${path}': ${reasonOf(error)}`, { cause: error });
  }
  const lines = text.split('\n');
  return lines.flatMap((line, i) => {
    if (isBlank(line) || (i === lines.length - 1 && !isObject(line))) {
      return [];
    }
    try {
      return [JSON.parse(line, asNumber) as T];
    } catch (error) {
      throw new Error(`readJsonLines: line ${i + 1} of '${path}' is not JSON: ${reasonOf(error)}`, { cause: error });
    }
  });
}

function isObject(line: string): boolean {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}

/** JSON of what may have infinite numbers and NaN, which become texts. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, asText, indent);
}

function asText(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/** Fields that are text, whatever they say. */
const texts = new Set(['name', 'layer']);

/** The other way, for `JSON.parse`. */
export function asNumber(key: string, value: unknown): unknown {
  return !texts.has(key) && (value === 'NaN' || value === 'Infinity' || value === '-Infinity') ? Number(value) : value;
}
