import type { Observer } from 'rxjs';
import { reasonOf } from '../../warnings.js';
import type { LinesKind } from './lines-file.js';
import { triedWriting } from './tried-writing.js';

/** What befalls a file, told on the console. */
export type FileEvents = Pick<LinesKind, 'onCut' | 'onReplaced'>;

/**
 * An observer that writes what it is given to a file, says on the console what could not be written, and never throws.
 *
 * @param name of the function whose observer it is, for messages.
 * @param open returns what writes one value; both may throw.
 * @throws Error with one line for what `open` throws.
 */
export function fileObserver(
  name: string,
  path: string,
  open: (events: FileEvents) => (value: object) => void,
): Observer<object> {
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
    write = open(events);
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
