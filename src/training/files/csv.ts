import { readFileSync } from 'node:fs';
import type { Observer } from 'rxjs';
import { checkText } from '../../checks.js';
import type { SharpnessReading } from '../../measure/reading.js';
import { csvLine, readingRow } from '../../measure/reading-row.js';
import type { Logged } from '../streams/epoch-logs.js';
import { type FileEvents, fileObserver } from './file-observer.js';
import { isBlank, linesFile } from './lines-file.js';

/**
 * An observer that appends each reading to a CSV file, as one row: `step`, `epoch`, `minimumSharpness` and every other number, flag and
 * text of the reading, then `eigenvalue/<rank>` and `balancedEigenvalue/<rank>` where there are some, `alpha/<layer>`, `trace/<parameter>`, and the
 * `assumptions` in one cell. With the epoch's loss and
 * accuracy, as `logs/<name>`:
 *
 * ```ts
 * sharpness.readings$.pipe(withEpochLogs(sharpness.logs$)).subscribe(csvWriter('readings.csv'));
 * ```
 *
 * Every row is with the operating system when the observer returns: a process that is killed loses none. A file that is there is
 * gone on with, under its own header. If its last row was cut off, by a full disk or a machine that went down, that row is taken
 * away first, with a warning that shows it: a number may have lost digits. A reading with columns that the header does not have, of
 * another network for example, gets them: the file is written anew, with the new columns at the end and empty cells in the
 * rows before. The file and its folder are made where they are missing, also in mid-training. It is open only while a row is written.
 *
 * Infinite numbers and NaN are written as `Infinity`, `-Infinity` and `NaN`, which `Number` and pandas read. Cells are quoted where they
 * need it (RFC 4180), and line breaks in them become spaces, so that a row is a line.
 *
 * Once it is made it never throws: what cannot be written is lost but for a warning on the console, and later readings are
 * tried again.
 *
 * @param path of the file, for example `'logs/run1/readings.csv'`.
 * @throws Error with one line when the file cannot be made or written to, or is no CSV file of readings.
 */
export function csvWriter(path: string): Observer<SharpnessReading | (SharpnessReading & Logged)> {
  checkText('csvWriter: path', path, "name the file, for example 'readings.csv'");
  return fileObserver('csvWriter', path, csvFile);
}

/**
 * The same without its patience: both this and what it returns throw where the file cannot be written.
 *
 * @returns what appends a reading.
 */
export function csvFile(events: FileEvents, absolute: string): (reading: object) => void {
  const file = linesFile(absolute, {
    check(first, ends) {
      const isOurs = cellsOf(first).includes(KEY) || (!ends && `step,epoch,${KEY}`.startsWith(first));
      if (!isOurs) {
        throw new Error(`it is there, and no file of readings, for it has no column ${KEY}: name another`);
      }
    },
    // Without the line break nobody knows whether its last number is whole.
    isWhole: () => false,
    ...events,
  });
  let columns = cellsOf(file.firstLineIfChanged() ?? '');
  /** Whether it is written: not where columns are to be added, and another process has written meanwhile. */
  const append = (row: ReadonlyMap<string, string>): boolean => {
    const header = file.firstLineIfChanged();
    if (header !== undefined) {
      columns = cellsOf(header);
    }
    const added = [...row.keys()].filter((name) => !columns.includes(name));
    const all = [...columns, ...added];
    const cells = `${csvLine(all.map((name) => row.get(name) ?? ''))}\n`;
    if (columns.length === 0) {
      file.append(`${csvLine(all)}\n${cells}`);
    } else if (added.length === 0) {
      file.append(cells);
    } else {
      const [, ...lines] = readFileSync(absolute, 'utf8').split('\n');
      const rows = lines.filter((line) => !isBlank(line));
      const empty = ','.repeat(added.length);
      const text = [csvLine(all), ...rows.map((each) => each.replace(/\r$/, '') + empty), cells].join('\n');
      if (!file.replace(text)) {
        return false;
      }
    }
    columns = all;
    return true;
  };
  return (reading) => {
    const row = readingRow(reading as SharpnessReading & Partial<Logged>);
    while (!append(row)) {
      // Once more, from what is there now.
    }
  };
}

/** The column that tells a file of readings from others. */
const KEY = 'minimumSharpness' satisfies keyof SharpnessReading;

/** The cells of a line, as this or another program has quoted them. None for an empty line. */
function cellsOf(line: string): string[] {
  const bare = line.replace(/^\ufeff|\r$/g, '');
  const cells = bare === '' ? [] : [...`,${bare}`.matchAll(/,(?:"((?:[^"]|"")*)"|([^,]*))/g)];
  return cells.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain!);
}
