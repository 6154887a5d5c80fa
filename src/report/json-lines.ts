import { counted } from '../names.js';
import { holdsLists } from './json-readings.js';
import type { Take } from './report-run.js';

const NEWLINE = 10;

/**
 * Reads JSON lines: an object each, in runs by their `run`, where they have one. Lines that are broken, as the last one of a program that was killed, are counted and left out.
 *
 * @returns what was left out, one sentence each; undefined where the text is no JSON lines but JSON as a whole: an array, an object
 *   over several lines, or one of lists of readings.
 */
export function readJsonLines(text: Uint8Array, take: Take): string[] | undefined {
  const decoder = new TextDecoder();
  let whole = 0;
  const broken: number[] = [];
  let number = 0;
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf(NEWLINE, at);
    const line = decoder.decode(text.subarray(at, end < 0 ? text.length : end));
    at = end < 0 ? text.length : end + 1;
    number++;
    if (/^[\s\0]*$/.test(line)) {
      continue;
    }
    const value = objectOf(line);
    if (whole === 0 && broken.length === 0 && value !== undefined && holdsLists(value)) {
      return undefined;
    }
    if (value !== undefined) {
      whole++;
      take(value, runOf(value));
    } else if (whole === 0 && broken.length === 0 && !looksLikeLine(line)) {
      return undefined;
    } else {
      broken.push(number);
    }
  }
  return broken.length === 0
    ? []
    : [`${counted(broken.length, 'broken line')} left out, the first is line ${broken[0]}`];
}

/** What `watch` calls the training that a checkpoint is of. */
function runOf(value: object): string | undefined {
  const { run } = value as { readonly run?: unknown };
  return typeof run === 'string' ? run : undefined;
}

/** An array, which is the whole file, is no line. */
function objectOf(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A first line that is broken: an object that goes on beyond its name, whereas JSON over several lines has one name or bracket a line. */
function looksLikeLine(line: string): boolean {
  return /^\s*\{\s*"[^"]*"\s*:.*,\s*"/.test(line);
}
