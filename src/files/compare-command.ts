import { digits } from '../measure/digits.js';
import type { SharpnessReading } from '../measure/reading.js';
import { csvLine } from '../measure/reading-row.js';
import { enumerateNames } from '../names.js';
import type { DrawnValues } from '../traces/sampling/paired.js';
import { jsonText, readJsonLines } from '../training/files/json-lines.js';
import { type Complain, complainOf, WRONG_INPUT } from './failure.js';
import { readingColumns } from './measure-command.js';
import { fileMeasurer } from './measure-files.js';
import { type MeasuringWords, measuringRun, type OtherPlace } from './measuring-run.js';
import {
  type ComparedReading,
  compareReadings,
  type Flattest,
  flattest,
  LOSS_MARGIN,
  unlikeReadings,
} from './reading-comparison.js';

/** Options of the command line, as words and numbers. */
export interface CompareCommandOptions extends MeasuringWords {
  readonly to?: string;
  readonly json?: boolean;
  readonly csv?: boolean;
}

/** Options that tell which number a reading is. */
const choices = [
  'data',
  'random',
  'limit',
  'scale',
  'labels',
  'loss',
  'output',
  'method',
  'tolerance',
  'part',
  'seed',
] as const satisfies readonly (keyof MeasuringWords)[];

const isReadings = (path: string) => path.endsWith('.jsonl');

/** `npx tfjs-sharpness compare`: a table of models, measured now or read from files of readings. */
export async function compareCommand(
  given: readonly string[],
  options: CompareCommandOptions,
  complain: Complain,
): Promise<void> {
  const { to, json, csv, ...words } = options;
  const known = new Map<string, SharpnessReading>();
  /** What was drawn for readings that are taken now. */
  const drawn = new Map<string, DrawnValues>();
  const models = [...new Set(given.filter((each) => !isReadings(each)))];
  try {
    if (json && csv) {
      throw new Error('choose one of --json and --csv.');
    }
    const chosen = choices.find((name) => words[name] !== undefined);
    if (models.length === 0 && chosen !== undefined) {
      throw new Error(`nothing is measured: readings of .jsonl files are there already, leave --${chosen} out.`);
    }
    for (const path of given.filter(isReadings)) {
      const found = readingsOf(path);
      if (found.length === 0) {
        throw new Error(`'${path}' has no readings.`);
      }
      for (const [name, reading] of found) {
        // What is measured now keeps its name, also where that fails: the other is of before.
        known.set(known.has(name) || models.includes(name) ? `${path}: ${name}` : name, reading);
      }
    }
    if (to !== undefined && !models.includes(to) && !known.has(to)) {
      throw new Error(`--to ${to} is none of what is compared: ${[...models, ...known.keys()].join(', ')}.`);
    }
  } catch (error) {
    complainOf(error, complain);
    return;
  }
  const print = (measured: readonly (SharpnessReading & { readonly model: string })[]) => {
    const all = new Map([...known, ...measured.map((reading) => [reading.model, reading] as const)]);
    const readings = new Map(orderOf(given, all).map((name) => [name, all.get(name)!]));
    // Its line says already what is wrong with it.
    const rows =
      to === undefined || readings.has(to)
        ? compareReadings(readings, drawn, to)
        : [...readings].map(([model, reading]) => ({ model, reading }));
    if (rows.length === 0) {
      return;
    }
    for (const line of unlikeReadings(readings)) {
      console.error(`tfjs-sharpness: ${line}`);
    }
    process.stdout.write(json ? jsonOf(rows) : csv ? csvOf(rows) : tableOf(rows, flattest(readings, drawn)));
    if (to !== undefined && !readings.has(to)) {
      complain(`--to ${to}: it has no reading, so that there are no differences.`, WRONG_INPUT);
    }
  };
  if (models.length === 0) {
    print([]);
    return;
  }
  await measuringRun(models, words, { one: () => {}, end: print }, complain, keepingDrawn(drawn));
}

/** In this process, and what was drawn is kept. */
function keepingDrawn(drawn: Map<string, DrawnValues>): OtherPlace {
  return {
    async *measure(models, options, events) {
      const { measure } = await fileMeasurer({ ...options, ...events }, (model, values) => drawn.set(model, values));
      for (const model of models) {
        yield await measure(model);
      }
    },
  };
}

/** Readings of files first, where the first is one, else models in their order. */
function orderOf(given: readonly string[], all: ReadonlyMap<string, unknown>): string[] {
  const names = [...all.keys()];
  return isReadings(given[0]!) ? names : names.sort((a, b) => placeOf(a, given) - placeOf(b, given));
}

const placeOf = (name: string, given: readonly string[]) => (given.includes(name) ? given.indexOf(name) : given.length);

/** Each by its model, else by its step or line. Of a model that was measured again the last counts; logs and the like are left out. */
function readingsOf(path: string): [name: string, reading: SharpnessReading][] {
  const lines = readJsonLines<Partial<SharpnessReading> & { readonly model?: string }>(path);
  const found = new Map<string, SharpnessReading>();
  lines.forEach((line, i) => {
    if (typeof line.minimumSharpness === 'number') {
      const name = line.model ?? (line.step === undefined ? `${path}:${i + 1}` : `${path}: step ${line.step}`);
      found.set(name, line as SharpnessReading);
    }
  });
  return [...found];
}

const columns = [...readingColumns, 'difference', 'differenceError', 'paired', 'verdict'] as const;

/** A row as plain values, undefined where there is nothing. */
const valuesOf = ({ reading, ...compared }: ComparedReading): Readonly<Record<string, unknown>> => ({
  ...reading,
  ...compared,
});

function jsonOf(rows: readonly ComparedReading[]): string {
  return `${jsonText(rows.map(valuesOf), 2)}\n`;
}

function csvOf(rows: readonly ComparedReading[]): string {
  const lines = rows.map(valuesOf).map((row) => columns.map((column) => String(row[column] ?? '')));
  return [columns, ...lines].map((cells) => `${csvLine(cells)}\n`).join('');
}

/** A value to the digits of its error: 12.3 ± 1.4. */
const withError = (value: number, error: number) => {
  if (!(error > 0 && Number.isFinite(error) && Number.isFinite(value))) {
    return digits(value);
  }
  const places = Math.min(20, Math.max(0, 1 - Math.floor(Math.log10(error))));
  return `${value.toFixed(places)} ± ${error.toFixed(places)}`;
};

const verdicts = {
  sharper: 'sharper',
  flatter: 'flatter',
  same: 'within noise',
  unknown: 'error not reliable',
} as const;

/** Columns of words, those of numbers to the right, and a line that names the flattest. */
function tableOf(rows: readonly ComparedReading[], best: Flattest): string {
  const base = rows.find(({ difference }) => difference === undefined);
  const hasLoss = rows.some(({ reading }) => reading.loss !== undefined);
  const head = ['model', 'Minimum Sharpness', 'trace', ...(hasLoss ? ['loss'] : []), 'difference', ''];
  const cells = rows.map(({ model, reading, difference, differenceError, verdict }) => [
    model,
    withError(reading.minimumSharpness, reading.standardError),
    digits(reading.trace),
    ...(hasLoss ? [reading.loss === undefined ? '' : digits(reading.loss)] : []),
    difference === undefined ? '' : `${difference > 0 ? '+' : ''}${withError(difference, differenceError ?? 0)}`,
    verdict === undefined ? '' : verdicts[verdict],
  ]);
  const compared = base !== undefined && rows.some(({ difference }) => difference !== undefined);
  const shown = [head, ...cells].map((row) => (compared ? row : row.slice(0, -2)));
  const widths = shown[0]!.map((_, i) => Math.max(...shown.map((row) => row[i]!.length)));
  const last = widths.length - (compared ? 1 : 0);
  const lines = shown.map((row) =>
    row
      .map((cell, i) => (i === 0 || i === last ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
  const below = compared ? ['', ...errorsOf(base.model, rows), ...flattestLines(best)] : [];
  return `${[...lines, ...below].join('\n')}\n`;
}

/** What differences are to, and what their errors are. */
function errorsOf(base: string, rows: readonly ComparedReading[]): string[] {
  const sampled = rows.filter(({ differenceError = 0 }) => differenceError > 0);
  const apart = sampled.filter(({ paired }) => !paired);
  const root = 'the root of the sum of both squared';
  const errors =
    sampled.length === 0
      ? ''
      : apart.length === 0
        ? ', their errors those of the pairs that both have drawn'
        : apart.length === sampled.length
          ? `, their errors ${root}`
          : `, their errors those of the pairs that both have drawn; of ${enumerateNames(apart.map(({ model }) => model))} ${root}`;
  return [`Differences are to ${base}${errors}.`];
}

function flattestLines({ names, lowestLoss, atHigherLoss }: Flattest): string[] {
  const [first, ...alike] = names;
  if (first === undefined) {
    return [];
  }
  const noise = alike.length > 0 ? `; within noise of it: ${alike.join(', ')}` : '';
  if (lowestLoss === undefined) {
    return [`Flattest, whatever its loss, which --labels would bring: ${first}${noise}.`];
  }
  const higher = atHigherLoss.map(({ name, loss }) => `${name} (${timesOf(loss, lowestLoss)})`);
  return [
    `Flattest at a loss of at most ${100 * LOSS_MARGIN}% above the lowest, ${digits(lowestLoss)}: ${first}${noise}.`,
    ...(higher.length > 0
      ? [`Flatter, but at a higher loss, as networks are that have learned less: ${higher.join(', ')}.`]
      : []),
  ];
}

const timesOf = (loss: number, lowest: number) =>
  lowest > 0 ? `${digits(loss / lowest, 3)} times the lowest` : `a loss of ${digits(loss)}`;
