import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { csvFile } from '../training/files/csv.js';
import type { jsonLinesFile } from '../training/files/json-lines.js';
import { checkLocalPath } from '../training/files/local-path.js';
import { lineOf } from '../warnings.js';
import { type Complain, FAILED } from './failure.js';
import type { FileReading } from './measure-files.js';

/**
 * A file that a command appends readings to. It is made with the first one: where no model is measured nothing is left. What cannot be
 * written is told, and does not end the command.
 *
 * @param option that names the file, for messages: --csv or --jsonl.
 * @param open `jsonLinesFile` or `csvFile`.
 * @returns what appends a reading.
 * @throws Error with one line where the file is of another kind, or cannot be written.
 */
export function readingsFile(
  option: string,
  path: string,
  open: typeof csvFile | typeof jsonLinesFile,
  complain: Complain,
): (reading: FileReading) => void {
  checkLocalPath(option, path);
  const say = (line: string) => console.error(`tfjs-sharpness: ${option} ${path}: ${line}`);
  const opened = () =>
    open(
      {
        onCut: (last) => say(`its last line was cut off, and is taken away: ${JSON.stringify(last.slice(0, 200))}`),
        onReplaced: () => say('it was removed or replaced: later readings go to the file that has its name now'),
      },
      resolve(path),
    );
  let append: ReturnType<typeof opened> | undefined;
  try {
    checkWritable(path);
    append = existsSync(path) ? opened() : undefined;
  } catch (error) {
    throw new Error(`${option}: cannot write to '${path}': ${lineOf(error)}`, { cause: error });
  }
  return (reading) => {
    try {
      append ??= opened();
      append(reading);
    } catch (error) {
      complain(`${option}: '${path}' misses ${reading.model}, ${reading}: ${lineOf(error)}`, FAILED);
    }
  };
}

/**
 * Looks at a file, or at the folder that is to hold it, and changes nothing.
 *
 * @throws Error with one line where it cannot be written or made.
 */
export function checkWritable(path: string): void {
  let at = resolve(path);
  while (!existsSync(at) && dirname(at) !== at) {
    at = dirname(at);
  }
  if (at !== resolve(path) && !statSync(at).isDirectory()) {
    throw new Error(`'${at}' is no folder`);
  }
  accessSync(at, constants.W_OK);
}
