import { resolve } from 'node:path';
import type { Observer } from 'rxjs';
import { reasonOf } from '../../warnings.js';
import type { LinesKind } from './lines-file.js';
import { checkLocalPath } from './local-path.js';
import { triedWriting } from './tried-writing.js';

/** What befalls a file, told on the console. */
export type FileEvents = Pick<LinesKind, 'onCut' | 'onReplaced'>;

/**
 * An observer that writes what it is given to a file, says on the console what could not be written, and never throws.
 *
 * @param name of the function whose observer it is, for messages.
 * @param open is given the absolute path, since programs change their folder, and returns what writes one value; both may throw.
 * @throws Error with one line for a path that `checkLocalPath` refuses, and for what `open` throws.
 */
export function fileObserver(
  name: string,
  path: string,
  open: (events: FileEvents, absolute: string) => (value: object) => void,
): Observer<object> {
  checkLocalPath(`${name}: the file`, path);
  const warn = (line: string) => console.warn(`${name}: ${line}`);
  const attempt = triedWriting(`${name}: '${path}' misses readings`);
  const events: FileEvents = {
    onCut: (last) =>
      warn(
        `the last line of '${path}' was cut off when it was written, and is taken away: ${JSON.stringify(shortened(last))}`,
      ),
    onReplaced: () =>
      warn(`'${path}' was removed, replaced or shortened: later readings go to the file that has its name now`),
  };
  let write: (value: object) => void;
  try {
    write = open(events, resolve(path));
  } catch (error) {
    throw new Error(`${name}: cannot write to '${path}': ${reasonOf(error)}`, { cause: error });
  }
  return {
    next(value) {
      attempt(() => {
        if (typeof value !== 'object' || value === null) {
          throw new Error(`${String(value)} is no reading`);
        }
        write(value);
      });
    },
    error(error) {
      warn(`no more readings for '${path}', their stream failed: ${reasonOf(error)}`);
    },
    // The file is not kept open.
    complete() {},
  };
}

function shortened(line: string): string {
  return line.length > 200 ? `${line.slice(0, 200)}...` : line;
}
