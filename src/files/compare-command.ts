import { digits } from '../measure/digits.js';
import type { SharpnessReading } from '../measure/reading.js';
import { csvLine } from '../measure/reading-row.js';
import { jsonText, readJsonLines } from '../training/files/json-lines.js';
import { type Complain, complainOf, WRONG_INPUT } from './failure.js';
import { readingColumns } from './measure-command.js';
import { type MeasuringWords, measuringRun } from './measuring-run.js';
import { type ComparedReading, compareReadings, flattest, unlikeReadings } from './reading-comparison.js';

/** Options of the command line, as words and numbers. */
export interface CompareCommandOptions extends MeasuringWords {
  readonly to?: string;
  readonly json?: boolean;
  readonly csv?: boolean;
}

const isReadings = (path: string) => path.endsWith('.jsonl');

/** `npx tfjs-sharpness compare`: a table of models, measured now or read from files of readings. */
export async function compareCommand(
  given: readonly string[],
  options: CompareCommandOptions,
  complain: Complain,
): Promise<void> {
  const { to, json, csv, ...words } = options;
  const known = new Map<string, SharpnessReading>();
  const models = [...new Set(given.filter((each) => !isReadings(each)))];
  try {
    if (json && csv) {
      throw new Error('choose one of --json and --csv.');
    }
    if (models.length === 0 && (words.data ?? words.random) !== undefined) {
      throw new Error(
        'nothing is measured: readings of .jsonl files are there already, leave --data and --random out.',
      );
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
        ? compareReadings(readings, to)
        : [...readings].map(([model, reading]) => ({ model, reading }));
    if (rows.length === 0) {
      return;
    }
    for (const line of unlikeReadings(readings)) {
      console.error(`tfjs-sharpness: ${line}`);
    }
    process.stdout.write(json ? jsonOf(rows) : csv ? csvOf(rows) : tableOf(rows, flattest(readings)));
    if (to !== undefined && !readings.has(to)) {
      complain(`--to ${to}: it has no reading, so that there are no differences.`, WRONG_INPUT);
    }
  };
  if (models.length === 0) {
    print([]);
    return;
  }
  await measuringRun(models, words, { one: () => {}, end: print }, complain);
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

const columns = [...readingColumns, 'difference', 'differenceError', 'verdict'] as const;

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
function tableOf(rows: readonly ComparedReading[], best: readonly string[]): string {
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
  const [first, ...alike] = best;
  const isSampled = rows.some(({ differenceError = 0 }) => differenceError > 0);
  const below = compared
    ? [
        '',
        `Differences are to ${base.model}${isSampled ? ', their errors the root of the sum of both squared' : ''}.`,
        ...(first === undefined
          ? []
          : [`Flattest: ${first}${alike.length > 0 ? `; within noise of it: ${alike.join(', ')}` : ''}.`]),
      ]
    : [];
  return `${[...lines, ...below].join('\n')}\n`;
}
