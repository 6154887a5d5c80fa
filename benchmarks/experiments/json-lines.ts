import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** The lines of a file, none where there is no file. A line that was cut off goes, so that another can be added. */
export function readLines<T>(path: string): T[] {
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
  const whole = lines.slice(0, -1);
  if ((lines.at(-1) ?? '') !== '') {
    writeFileSync(path, whole.map((line) => `${line}\n`).join(''));
  }
  return whole.map((line) => JSON.parse(line) as T);
}

export function addLine(path: string, line: unknown): void {
  mkdirSync(dirname(path), { recursive: true });
  appendFileSync(path, `${JSON.stringify(line)}\n`);
}
