import { existsSync } from 'node:fs';
import type { MeasureOptions, MeasureProgress } from '../measure/options.js';
import { informBy } from '../warnings.js';
import type { FileBackend } from './backend.js';
import { type Complain, complainOf, exitCodeOf, signals } from './failure.js';
import { type FileProblem, type FileReading, type MeasureFilesOptions, measureFiles } from './measure-files.js';
import { adviceInOptionWords, checkOptionWords, inOptionWords } from './option-words.js';
import { type PlanProgress, type ProgressLine, progressLine } from './progress-line.js';

/** Options of the command line that all commands which measure have, as words and numbers. */
export interface MeasuringWords {
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
  readonly part?: number;
  readonly seed?: number;
  readonly memory?: number;
}

/** Where readings go. */
export interface ReadingPrinter {
  one(reading: FileReading): void;
  /** Also where a signal ends the program. @param done all readings, each of which `one` has had. */
  end(done: readonly FileReading[]): void;
}

/** Where else than in this process models are measured. */
export interface OtherPlace {
  measure(
    models: readonly string[],
    options: MeasureFilesOptions,
    events: { onProgress(progress: MeasureProgress | PlanProgress): void; onNote(model: string, note: string): void },
  ): AsyncIterable<FileReading | FileProblem>;
  /** What is said when a signal ends this process, if anything. */
  readonly onStop?: () => string | undefined;
}

/**
 * Measures models for a command: one line on standard error for each that is wrong, and a line of progress on a terminal. A signal ends the
 * program at once: what is done is printed, and the reading that is on its way is lost.
 *
 * @param otherPlace default: this process.
 */
export async function measuringRun(
  models: readonly string[],
  words: MeasuringWords,
  print: ReadingPrinter,
  complain: Complain,
  otherPlace?: OtherPlace,
): Promise<void> {
  const done: FileReading[] = [];
  const progress = progressLine(process.stderr);
  informByOptions(progress);
  const stop = (name: NodeJS.Signals) => {
    endSignals();
    progress.end();
    print.end(done);
    const last = otherPlace?.onStop?.();
    if (last !== undefined) {
      console.error(`tfjs-sharpness: ${last}`);
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
  try {
    const events = {
      onProgress: (each: MeasureProgress | PlanProgress) => progress.show(each),
      onNote: (model: string, note: string) => {
        progress.end();
        console.error(`tfjs-sharpness: ${model}: ${note}`);
      },
    };
    const options = measuringOptions(words);
    const results = otherPlace
      ? otherPlace.measure(models, options, events)
      : measureFiles(models, { ...options, ...events });
    for await (const result of results) {
      progress.end();
      if ('problem' in result) {
        complain(`${result.model}: ${inOptionWords(result.problem)}`, exitCodeOf(result.kind));
      } else {
        done.push(result);
        print.one(result);
      }
    }
    print.end(done);
  } catch (error) {
    progress.end();
    complainOf(error, complain);
  } finally {
    endSignals();
  }
}

/** What a program is told on its console stands on standard error, by options of the command line: standard output is for readings. */
export function informByOptions(progress: ProgressLine): void {
  informBy((line) => {
    progress.end();
    console.error(adviceInOptionWords(line));
  });
}

/**
 * Options of `measureFiles` by the words of the command line.
 *
 * @throws Error with one line for words that mean nothing, or do not go together.
 * @throws RangeError with one line for numbers out of range.
 */
export function measuringOptions(words: MeasuringWords): MeasureFilesOptions {
  const { data, random, limit, scale, labels, expect, loss, output, randomWeights, require, backend, seed, part } =
    words;
  const options: MeasureFilesOptions = {
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
    part,
    // Any text: what is no loss is refused with those that are.
    loss: loss as MeasureOptions['loss'],
    memoryMB: words.memory,
    method: methodOf(words),
  };
  checkOptionWords(options);
  return options;
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

function methodOf({ method, tolerance }: MeasuringWords) {
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
