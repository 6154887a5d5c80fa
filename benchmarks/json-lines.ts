import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';

/** What stands in whole lines, and the rest of the file, after its last line break. */
function split(path: string): [lines: string[], rest: string] {
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [''];
  return [lines.slice(0, -1), lines.at(-1)!];
}

function isWhole(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

/** The lines of a file, none where there is no file. A last one that was cut off does not count; the file stays as it is. */
export function readLines<T>(path: string): T[] {
  const [lines, rest] = split(path);
  return [...lines, ...(isWhole(rest) ? [rest] : [])].map((line) => JSON.parse(line) as T);
}

/** Adds a line, in the place of a last one that was cut off. */
export function addLine(path: string, line: unknown): void {
  mkdirSync(dirname(path), { recursive: true });
  const [lines, rest] = split(path);
  if (rest !== '' && !isWhole(rest)) {
    truncateSync(path, Buffer.byteLength(lines.map((each) => `${each}\n`).join('')));
  }
  appendFileSync(path, `${isWhole(rest) ? '\n' : ''}${JSON.stringify(line)}\n`);
}
