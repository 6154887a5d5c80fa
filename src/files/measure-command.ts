import { csvLine, readingRow } from '../measure/reading-row.js';
import { csvFile } from '../training/files/csv.js';
import { jsonLinesFile, jsonText } from '../training/files/json-lines.js';
import { type Complain, complainOf } from './failure.js';
import { type MeasuringWords, measuringRun, type OtherPlace, type ReadingPrinter } from './measuring-run.js';
import { readingsFile } from './readings-file.js';

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
    const append =
      csv === undefined
        ? readingsFile('--jsonl', path, jsonLinesFile, complain)
        : readingsFile('--csv', path, csvFile, complain);
    return { one: append, end: () => {} };
  }
  return { one: (reading) => write(models > 1 ? `${reading.model}: ${reading}` : String(reading)), end: () => {} };
}
