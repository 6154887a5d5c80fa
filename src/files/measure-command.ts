import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { MeasureOptions } from '../measure/options.js';
import { csvLine, readingRow } from '../measure/reading-row.js';
import { csvFile } from '../training/files/csv.js';
import { jsonLinesFile, jsonText } from '../training/files/json-lines.js';
import { checkLocalPath } from '../training/files/local-path.js';
import { lineOf } from '../warnings.js';
import type { FileBackend } from './backend.js';
import { FAILED, isFailure, signals, WRONG_INPUT } from './failure.js';
import { type FileProblem, type FileReading, type MeasureFilesOptions, measureFiles } from './measure-files.js';
import { type PlanProgress, progressLine } from './progress-line.js';

/** Options of the command line, as words and numbers. */
export interface MeasureCommandOptions {
  readonly data?: readonly string[];
  readonly random?: number;
  readonly limit?: number;
  readonly scale?: number;
  readonly labels?: readonly string[];
  readonly expect?: string;
  readonly loss?: string;
  readonly output?: string;
  readonly randomWeights?: boolean;
  readonly require?: readonly string[];
  readonly backend?: FileBackend;
  readonly method?: string;
  readonly tolerance?: number;
  readonly seed?: number;
  readonly memory?: number;
  readonly json?: boolean;
  readonly csv?: string;
  readonly jsonl?: string;
}

/** Where else than in this process models are measured. */
export interface OtherPlace {
  measure(
    models: readonly string[],
    options: MeasureFilesOptions,
    events: { onProgress(progress: PlanProgress): void; onNote(model: string, note: string): void },
  ): AsyncIterable<FileReading | FileProblem>;
  /** What is said when a signal ends this process. */
  readonly onStop?: string;
}

/**
 * `npx tfjs-sharpness measure`: one line on standard error for each model that is wrong, and the readings of all others.
 *
 * @param complain says a line and sets the exit code.
 * @param otherPlace default: this process.
 */
export async function measureCommand(
  models: readonly string[],
  options: MeasureCommandOptions,
  complain: (line: string, exitCode: number) => void,
  otherPlace?: OtherPlace,
): Promise<void> {
  const done: FileReading[] = [];
  const progress = progressLine(process.stderr);
  let print: Printer;
  try {
    print = printer(models.length, options, complain);
  } catch (error) {
    complain(lineOf(error), isFailure(error) ? FAILED : WRONG_INPUT);
    return;
  }
  // At once: what is done is printed, and the reading that is on its way is lost.
  const stop = (name: NodeJS.Signals) => {
    endSignals();
    progress.end();
    print.end(done);
    if (otherPlace?.onStop) {
      console.error(`tfjs-sharpness: ${otherPlace.onStop}`);
    }
    process.kill(process.pid, name);
  };
  const endSignals = () => {
    for (const name of signals) {
      process.off(name, stop);
    }
  };
  for (const name of signals) {
    process.on(name, stop);
  }
  const { data, random, limit, scale, labels, expect, loss, output, randomWeights, require, backend, seed } = options;
  try {
    const note = (model: string, line: string) => {
      progress.end();
      console.error(`tfjs-sharpness: ${model}: ${line}`);
    };
    const fileOptions: MeasureFilesOptions = {
      ...(data && { data: namedFiles('--data', data) }),
      ...(labels && { labels: namedFiles('--labels', labels) }),
      random,
      limit,
      scale,
      expect,
      output,
      randomWeights,
      require,
      backend,
      seed,
      // Any text: what is no loss is refused with those that are.
      loss: loss as MeasureOptions['loss'],
      memoryMB: options.memory,
      method: methodOf(options),
    };
    const results = otherPlace
      ? otherPlace.measure(models, fileOptions, { onProgress: (each) => progress.show(each), onNote: note })
      : measureFiles(models, { ...fileOptions, onProgress: (each) => progress.show(each), onNote: note });
    for await (const result of results) {
      progress.end();
      if ('problem' in result) {
        complain(`${result.model}: ${result.problem}`, result.kind === 'failure' ? FAILED : WRONG_INPUT);
      } else {
        done.push(result);
        print.one(result);
      }
    }
    print.end(done);
  } catch (error) {
    progress.end();
    complain(lineOf(error), isFailure(error) ? FAILED : WRONG_INPUT);
  } finally {
    endSignals();
  }
}

function namedFiles(option: string, given: readonly string[]): string | { [input: string]: string } {
  // A file may be called epoch=10.npy.
  if (given.length === 1 && (existsSync(given[0]!) || !/^[^=#?]+=/.test(given[0]!))) {
    return given[0]!;
  }
  const files = new Map<string, string>();
  for (const each of given) {
    const at = each.indexOf('=');
    if (at < 1) {
      throw new Error(`${option} ${each}: of several files each is given with its name, ${option} NAME=FILE.`);
    }
    const name = each.slice(0, at);
    if (files.has(name)) {
      throw new Error(`${option} ${each}: '${name}' has a file already, ${files.get(name)}.`);
    }
    files.set(name, each.slice(at + 1));
  }
  return Object.fromEntries(files);
}

function methodOf({ method, tolerance }: MeasureCommandOptions) {
  if (tolerance !== undefined) {
    if (method !== undefined) {
      throw new Error('--tolerance is a method: leave --method out.');
    }
    return { tolerance };
  }
  const [, kind, count] = /^(exact|pairs|hutchinson)(?:=(\d+))?$/.exec(method ?? 'exact') ?? [];
  if (kind === undefined || (kind === 'exact') !== (count === undefined)) {
    throw new Error(`--method ${method} is not known: exact, pairs=256 or hutchinson=30.`);
  }
  return kind === 'exact'
    ? ('exact' as const)
    : kind === 'pairs'
      ? { pairs: Number(count) }
      : { hutchinson: Number(count) };
}

interface Printer {
  one(reading: FileReading): void;
  /** @param done all readings, each of which `one` has had. */
  end(done: readonly FileReading[]): void;
}

/** What a line of CSV on standard output has of a reading: the same of every network. A file has all. */
const columns = [
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
function printer(
  models: number,
  { json, csv, jsonl }: MeasureCommandOptions,
  complain: (line: string, exitCode: number) => void,
): Printer {
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
          write(csvLine(columns));
          isFirst = false;
        }
        const row = readingRow(reading);
        write(csvLine(columns.map((column) => row.get(column) ?? '')));
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
function filePrinter(path: string, open: typeof csvFile, complain: (line: string, exitCode: number) => void): Printer {
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
