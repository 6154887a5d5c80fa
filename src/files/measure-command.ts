import { csvWriter } from '../training/files/csv.js';
import { jsonLinesWriter } from '../training/files/json-lines.js';
import { lineOf } from '../warnings.js';
import type { FileBackend } from './backend.js';
import { type FileReading, measureFiles } from './measure-files.js';
import { progressLine } from './progress-line.js';

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

const FAILED = 1;
const WRONG_INPUT = 2;

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * `npx tfjs-sharpness measure`: one line on standard error for each model that is wrong, and the readings of all others.
 *
 * @param complain says a line and sets the exit code.
 */
export async function measureCommand(
  models: readonly string[],
  options: MeasureCommandOptions,
  complain: (line: string, exitCode: number) => void,
): Promise<void> {
  const done: FileReading[] = [];
  const progress = progressLine(process.stderr);
  const print = printer(models.length, options, complain);
  if (!print) {
    return;
  }
  // At once: what is done is printed, and the reading that is on its way is lost.
  const stop = (name: NodeJS.Signals) => {
    endSignals();
    progress.end();
    print.end(done);
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
    const results = measureFiles(models, {
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
      loss: loss as 'meanSquaredError' | undefined,
      memoryMB: options.memory,
      method: methodOf(options),
      onProgress: (each) => progress.show(each),
      onNote: (model, note) => {
        progress.end();
        console.error(`tfjs-sharpness: ${model}: ${note}`);
      },
    });
    for await (const result of results) {
      progress.end();
      if ('problem' in result) {
        complain(`${result.model}: ${result.problem}`, WRONG_INPUT);
      } else {
        done.push(result);
        print.one(result);
      }
    }
    print.end(done);
  } catch (error) {
    progress.end();
    const isInstall = /npm install/.test(lineOf(error));
    complain(lineOf(error), isInstall ? FAILED : WRONG_INPUT);
  } finally {
    endSignals();
  }
}

function namedFiles(option: string, given: readonly string[]): string | { [input: string]: string } {
  if (given.length === 1 && !/^[\w.:-]+=/.test(given[0]!)) {
    return given[0]!;
  }
  return Object.fromEntries(
    given.map((each) => {
      const at = each.indexOf('=');
      if (at < 1) {
        throw new Error(`${option} ${each}: of several files each is given with its name, ${option} NAME=FILE.`);
      }
      return [each.slice(0, at), each.slice(at + 1)];
    }),
  );
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

/** In one of the formats; undefined where the file of one cannot be written. */
function printer(
  models: number,
  { json, csv, jsonl }: MeasureCommandOptions,
  complain: (line: string, exitCode: number) => void,
): Printer | undefined {
  const write = (text: string) => process.stdout.write(`${text}\n`);
  if ([json, csv, jsonl].filter((each) => each !== undefined).length > 1) {
    complain('choose one of --json, --csv and --jsonl.', WRONG_INPUT);
    return undefined;
  }
  if (json) {
    return {
      one: () => {},
      end: (done) => {
        if (models > 1 || done.length > 0) {
          write(JSON.stringify(models > 1 ? done : done[0], asText, 2));
        }
      },
    };
  }
  if (jsonl === '-') {
    return { one: (reading) => write(JSON.stringify(reading, asText)), end: () => {} };
  }
  if (csv === '-') {
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
    const cell = (value: unknown) =>
      /[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? '');
    let isFirst = true;
    return {
      one: (reading) => {
        if (isFirst) {
          write(columns.join(','));
          isFirst = false;
        }
        write(columns.map((column) => cell(reading[column])).join(','));
      },
      end: () => {},
    };
  }
  if (csv !== undefined || jsonl !== undefined) {
    try {
      const observer = csv === undefined ? jsonLinesWriter(jsonl!) : csvWriter(csv);
      return { one: (reading) => observer.next(reading), end: () => {} };
    } catch (error) {
      complain(lineOf(error), WRONG_INPUT);
      return undefined;
    }
  }
  return { one: (reading) => write(models > 1 ? `${reading.model}: ${reading}` : String(reading)), end: () => {} };
}

function asText(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
