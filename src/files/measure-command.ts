import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { csvLine, readingRow } from '../measure/reading-row.js';
import { csvFile } from '../training/files/csv.js';
import { jsonLinesFile, jsonText } from '../training/files/json-lines.js';
import { checkLocalPath } from '../training/files/local-path.js';
import { lineOf } from '../warnings.js';
import { type Complain, complainOf, FAILED } from './failure.js';
import { type MeasuringWords, measuringRun, type OtherPlace, type ReadingPrinter } from './measuring-run.js';

/** Options of the command line, as words and numbers. */
export interface MeasureCommandOptions extends MeasuringWords {
  readonly json?: boolean;
  readonly csv?: string;
  readonly jsonl?: string;
}

/**
 * `npx tfjs-sharpness measure`: one line on standard error for each model that is wrong, and the readings of all others.
 *
 * @param otherPlace default: this process.
 */
export async function measureCommand(
  models: readonly string[],
  options: MeasureCommandOptions,
  complain: Complain,
  otherPlace?: OtherPlace,
): Promise<void> {
  let print: ReadingPrinter;
  try {
    print = printer(models.length, options, complain);
  } catch (error) {
    complainOf(error, complain);
    return;
  }
  await measuringRun(models, options, print, complain, otherPlace);
}

/** What a line of CSV on standard output has of a reading: the same of every network. A file has all. */
export const readingColumns = [
  'model',
  'minimumSharpness',
  'standardError',
  'trace',
  'loss',
  'samples',
  'method',
  'reliable',
] as const;

/**
 * In one of the formats.
 *
 * @throws Error with one line where the file of one cannot be written.
 */
function printer(models: number, { json, csv, jsonl }: MeasureCommandOptions, complain: Complain): ReadingPrinter {
  const write = (text: string) => process.stdout.write(`${text}\n`);
  if ([json, csv, jsonl].filter((each) => each !== undefined).length > 1) {
    throw new Error('choose one of --json, --csv and --jsonl.');
  }
  if (json) {
    return {
      one: () => {},
      end: (done) => {
        if (models > 1 || done.length > 0) {
          write(jsonText(models > 1 ? done : done[0], 2));
        }
      },
    };
  }
  if (jsonl === '-') {
    return { one: (reading) => write(jsonText(reading)), end: () => {} };
  }
  if (csv === '-') {
    let isFirst = true;
    return {
      one: (reading) => {
        if (isFirst) {
          write(csvLine(readingColumns));
          isFirst = false;
        }
        const row = readingRow(reading);
        write(csvLine(readingColumns.map((column) => row.get(column) ?? '')));
      },
      end: () => {},
    };
  }
  const path = csv ?? jsonl;
  if (path !== undefined) {
    return filePrinter(path, csv === undefined ? jsonLinesFile : csvFile, complain);
  }
  return { one: (reading) => write(models > 1 ? `${reading.model}: ${reading}` : String(reading)), end: () => {} };
}

/** Appends to a file, which is made with the first reading: where no model is measured nothing is left. */
function filePrinter(path: string, open: typeof csvFile, complain: Complain): ReadingPrinter {
  const option = open === csvFile ? '--csv' : '--jsonl';
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
  return {
    one: (reading) => {
      try {
        append ??= opened();
        append(reading);
      } catch (error) {
        complain(`${option}: '${path}' misses ${reading.model}, ${reading}: ${lineOf(error)}`, FAILED);
      }
    },
    end: () => {},
  };
}

/** Looks at the file, or at the folder that is to hold it, and changes nothing. */
function checkWritable(path: string): void {
  let at = resolve(path);
  while (!existsSync(at) && dirname(at) !== at) {
    at = dirname(at);
  }
  if (at !== resolve(path) && !statSync(at).isDirectory()) {
    throw new Error(`'${at}' is no folder`);
  }
  accessSync(at, constants.W_OK);
}
