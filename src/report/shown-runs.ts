import { layersOf } from '../chart/reading-words.js';
import { runColor, runDash } from './chart-colors.js';
import type { LoggedPoint, ReportRun, RunPoint } from './report-run.js';
import { type Thinned, thinned } from './thinned.js';

/** A run as it is drawn, with as many of its readings as a page shows. */
export interface ShownRun {
  readonly run: ReportRun;
  /** Place among the runs. */
  readonly index: number;
  readonly color: string;
  readonly dash: readonly number[];
  readonly shown: Thinned<RunPoint>;
}

/** How many readings a page has rows for, of all runs together; and points of a small chart. */
const ROWS = 1000;
const SMALL = 240;

/** Gives each run its color and chooses the readings that are drawn and listed. */
export function shownRuns(runs: readonly ReportRun[]): ShownRun[] {
  const pieces = Math.max(20, Math.floor(ROWS / 2 / runs.length));
  return runs.map((run, index) => ({
    run,
    index,
    color: runColor(index),
    dash: runDash(index),
    shown: thinned(
      run.points,
      pieces,
      ({ reading }) => reading.minimumSharpness,
      ({ flaws }) => flaws.join(),
    ),
  }));
}

/** Lines of one quantity, one a run: by run, those that have it. */
export interface Quantity {
  readonly name: string;
  readonly lines: ReadonlyMap<ShownRun, readonly LoggedPoint[]>;
}

function quantities(found: Iterable<readonly [string, ShownRun, readonly LoggedPoint[]]>): Quantity[] {
  const byName = new Map<string, Map<ShownRun, readonly LoggedPoint[]>>();
  for (const [name, run, points] of found) {
    const lines = byName.get(name) ?? new Map<ShownRun, readonly LoggedPoint[]>();
    byName.set(name, lines.set(run, thinned(points, SMALL / 2, ({ value }) => value).points));
  }
  return [...byName].map(([name, lines]) => ({ name, lines }));
}

/** The plain trace, and what was logged beside the readings. */
export function besides(runs: readonly ShownRun[]): Quantity[] {
  return quantities(
    runs.flatMap((shown) => {
      const traces = shown.run.points.flatMap(({ at, reading: { trace } }) =>
        trace === undefined ? [] : [{ at, value: trace }],
      );
      const losses = shown.run.hasSteps
        ? []
        : shown.run.points.flatMap(({ at, reading: { loss } }) => (loss === undefined ? [] : [{ at, value: loss }]));
      return [
        ...(traces.length > 0 ? [['trace', shown, traces] as const] : []),
        ...(losses.length > 0 ? [['loss, measured', shown, losses] as const] : []),
        ...[...shown.run.logged].map(([name, points]) => [name, shown, points] as const),
      ];
    }),
  );
}

/** The trace and the alpha of each layer, in the order in which layers come. */
export function layerQuantities(runs: readonly ShownRun[]): { traces: Quantity[]; alphas: Quantity[] } {
  const [traces, alphas]: [string, ShownRun, LoggedPoint[]][][] = [[], []];
  for (const shown of runs) {
    const own = { trace: new Map<string, LoggedPoint[]>(), alpha: new Map<string, LoggedPoint[]>() };
    for (const { at, reading } of shown.run.points) {
      for (const [layer, values] of layersOf(reading)) {
        for (const kind of ['trace', 'alpha'] as const) {
          const value = values[kind];
          if (value !== undefined) {
            const points = own[kind].get(layer) ?? [];
            own[kind].set(layer, points);
            points.push({ at, value });
          }
        }
      }
    }
    traces!.push(...[...own.trace].map(([name, points]): [string, ShownRun, LoggedPoint[]] => [name, shown, points]));
    alphas!.push(...[...own.alpha].map(([name, points]): [string, ShownRun, LoggedPoint[]] => [name, shown, points]));
  }
  return { traces: quantities(traces!), alphas: quantities(alphas!) };
}
