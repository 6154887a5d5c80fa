import { createRequire } from 'node:module';
import { checkKnownOptions, checkText } from '../checks.js';
import { distinctNames } from '../names.js';
import { lineOf } from '../warnings.js';
import { chartDrawing } from './drawn-chart.js';
import { type Figures, figuresOf } from './figures.js';
import { pageOf, type ReadFrom } from './page.js';
import { picture } from './picture.js';
import { readReportFile } from './report-file.js';
import { runRecorder } from './report-run.js';
import { shortNames } from './short-names.js';
import { type ShownRun, shownRuns } from './shown-runs.js';

/** A file or folder of readings, or the readings themselves: what JSON lines hold, in their order. */
export type ReportSource = string | readonly object[];

export interface SharpnessReportOptions {
  /** Default `'Minimum Sharpness'`. */
  readonly title?: string;
  /** What made the report, as the page shall say it. Default: nothing. */
  readonly command?: string;
}

/** A report that was made. */
export interface SharpnessReport {
  /** The page: one file, which loads nothing. */
  readonly html: string;
  /** Its first chart with names, light, as an SVG file of its own. */
  readonly svg: string;
  /** By name, how many readings each run has, as far as they are not replaced. */
  readonly readings: ReadonlyMap<string, number>;
  /** What was left out of files, such as lines that were cut off, one sentence each. */
  readonly notes: readonly string[];
}

const optionNames = { title: true, command: true } satisfies Record<keyof SharpnessReportOptions, true>;

/**
 * Makes a page of readings: Minimum Sharpness over steps in its 95% band, or checkpoints with error bars, the traces and alphas of
 * layers, what was logged, a table to sort, and what the readings take for granted; of several runs beside each other.
 *
 * ```ts
 * const { html } = await sharpnessReport({ SGD: 'sgd.jsonl', SAM: 'logs/sam' });
 * writeFileSync('report.html', html);
 * ```
 *
 * Files are JSON lines of `jsonLinesWriter` and of `measure --jsonl`, JSON of `measure --json`, CSV of `csvWriter`, and event files of
 * `tensorBoardWriter`, by their folder. It needs the packages vega and vega-lite.
 *
 * @param runs files, which are called by what tells their paths from each other; or files and readings by name.
 * @throws Error with one line for each file or run that has no readings, in one line where it is one; where Vega is not installed; and
 *   for options that there are not.
 */
export async function sharpnessReport(
  runs: string | readonly string[] | { readonly [name: string]: ReportSource },
  options: SharpnessReportOptions = {},
): Promise<SharpnessReport> {
  checkKnownOptions('sharpnessReport', options, optionNames);
  const { title = 'Minimum Sharpness', command } = options;
  checkText('sharpnessReport: title', title, "for example 'SGD and SAM'");
  const sources = await readSources(namedSources(runs));
  const names = distinctNames(sources.flatMap((source) => source.runs.map(({ name }) => name)));
  const all = sources.flatMap((source) => source.runs).map((run, i) => ({ ...run, name: names[i]! }));
  const shown = shownRuns(all);
  const draw = await chartDrawing();
  const figures = await figuresOf(shown, draw);
  const html = pageOf({
    title,
    runs: shown,
    figures,
    sources,
    command,
    version: versionOf(),
    date: new Date(),
  });
  return {
    html,
    svg: svgOf(title, figures, shown),
    readings: new Map(all.map(({ name, points }) => [name, points.length])),
    notes: sources.flatMap(({ path, notes }) => notes.map((note) => `${path}: ${note}.`)),
  };
}

function svgOf(title: string, { main: [figure] }: Figures, runs: readonly ShownRun[]): string {
  const hasSteps = runs.some(({ run }) => run.hasSteps);
  return picture(
    title,
    figure!,
    runs.filter(({ run }) => run.hasSteps === hasSteps),
  );
}

function namedSources(
  runs: string | readonly string[] | { readonly [name: string]: ReportSource },
): [string, ReportSource][] {
  const isNamed = typeof runs === 'object' && runs !== null && !Array.isArray(runs);
  const paths = isNamed ? [] : ([runs].flat() as string[]);
  const named = isNamed ? Object.entries(runs as { readonly [name: string]: ReportSource }) : [];
  for (const path of paths) {
    checkText('sharpnessReport: a file', path, "name it, for example 'readings.jsonl'");
  }
  if (paths.length + named.length === 0) {
    throw new Error('sharpnessReport: there are no runs: name files of readings.');
  }
  const names = shortNames(paths);
  return [...paths.map((path, i): [string, string] => [names[i]!, path]), ...named];
}

/** Reads all before it complains, so that one look mends all. */
async function readSources(sources: readonly (readonly [string, ReportSource])[]): Promise<ReadFrom[]> {
  const found: ReadFrom[] = [];
  const wrong: string[] = [];
  for (const [name, source] of sources) {
    try {
      found.push(
        typeof source === 'string'
          ? { path: source, ...(await readReportFile(source, name)) }
          : givenReadings(name, source),
      );
    } catch (error) {
      wrong.push(lineOf(error));
    }
  }
  if (wrong.length > 0) {
    throw new Error(wrong.join('\n'));
  }
  return found;
}

function givenReadings(name: string, readings: readonly object[]): ReadFrom {
  if (!Array.isArray(readings)) {
    throw new Error(`sharpnessReport: '${name}' is neither a path nor a list of readings.`);
  }
  const recorder = runRecorder();
  for (const reading of readings) {
    recorder.take(reading ?? {});
  }
  const run = recorder.run(name);
  if (run.points.length === 0) {
    throw new Error(`sharpnessReport: '${name}' has no readings.`);
  }
  return { path: name, kind: 'readings of a program', runs: [run], notes: [] };
}

function versionOf(): string {
  const { version } = createRequire(import.meta.url)('../../package.json') as { readonly version: string };
  return version;
}
