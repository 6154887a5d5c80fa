import type { Problem } from '../training/problems.js';
import { type AlignedRows, alignedRows } from './aligned-rows.js';
import { type ChartReading, HALF_INTERVAL, layersOf, problemLine, whenOf } from './reading-words.js';
import type { ChartProblem } from './received.js';
import { noValues, type ValueSpan, widen } from './value-span.js';

/** A training whose readings a chart has. */
export interface Run {
  readonly name: string;
  /** Place among the runs. */
  readonly index: number;
  /** Columns of its values: `high` and `low` are the band, `unreliable` has the values whose error cannot be trusted. */
  readonly columns: Readonly<Record<'value' | 'high' | 'low' | 'trace' | 'unreliable', number>>;
  readonly layers: ReadonlyMap<string, { readonly trace: number; readonly alpha?: number }>;
}

/** One thing that happened in a run. */
export type Entry = { readonly run: Run; readonly step: number } & (
  | { readonly reading: ChartReading; readonly problem?: undefined }
  | { readonly problem: ChartProblem; readonly reading?: undefined }
);

/** What is marked at the foot of a plot. */
export interface Mark {
  readonly at: number;
  readonly kind: Problem['kind'];
  readonly text: string;
}

/** All that the runs of a chart have said: as it came, and as columns over steps. */
export interface RecordedRuns {
  readonly runs: readonly Run[];
  readonly rows: AlignedRows;
  /** In the order in which they came. */
  readonly entries: readonly Entry[];
  readonly marks: readonly Mark[];
  /** Of Minimum Sharpness, and of the trace where it is drawn. */
  readonly span: ValueSpan;
  /** Of each layer's trace, in the order in which layers came. */
  readonly layers: ReadonlyMap<string, ValueSpan>;
  addRun(name: string): Run;
  /**
   * Takes in what came. Where the steps of a run go back, its line begins anew there: what it had at steps that it passes again is replaced,
   * and stays among the entries.
   */
  take(entries: readonly Entry[]): void;
  /** What came last, of whichever run. A problem of a step before its run's last reading is old when it comes. */
  latest(): Entry | undefined;
  /** Its row, which is not always the last; -1 where nothing came. */
  latestRow(): number;
  /** What is to be said of a row. */
  at(row: number): readonly Entry[];
  /** The reading of a run that is the last at or before a row. */
  lastReading(run: Run, row: number): ChartReading | undefined;
}

interface MutableRun extends Run {
  readonly layers: Map<string, { trace: number; alpha?: number }>;
  readonly readings: Map<number, ChartReading>;
  /** The step of the last reading that was taken in, and the furthest of all. */
  last: number;
  furthest: number;
}

/** @param drawn whether the plain trace and the layers are drawn. */
export function recordedRuns(drawn: { readonly trace: boolean; readonly layers: boolean }): RecordedRuns {
  const rows = alignedRows();
  const runs: MutableRun[] = [];
  const entries: Entry[] = [];
  const marks: Mark[] = [];
  const atStep = new Map<number, Entry[]>();
  let latest: Entry | undefined;
  const span = noValues();
  const layers = new Map<string, ValueSpan>();

  /** What is not finite breaks the line. */
  const put = (column: number, row: number, value: number, of?: ValueSpan) => {
    rows.columns[column]![row] = Number.isFinite(value) ? value : null;
    if (of) {
      widen(of, value);
    }
  };
  /** The columns of a run. */
  const columnsOf = ({ columns, layers: own }: MutableRun) => [
    ...Object.values(columns),
    ...[...own.values()].flatMap(({ trace, alpha }) => (alpha === undefined ? [trace] : [trace, alpha])),
  ];
  /** Takes out what the run had between its last reading and this one, when its steps had gone back before. */
  const passAgain = (run: MutableRun, step: number) => {
    if (step > run.last && run.last < run.furthest) {
      const end = rows.lastAtOrBefore(step);
      for (let row = rows.lastAtOrBefore(run.last) + 1; row < end; row++) {
        if (run.readings.delete(rows.x[row]!)) {
          for (const column of columnsOf(run)) {
            rows.columns[column]![row] = undefined;
          }
        }
      }
    }
    run.last = step;
    run.furthest = Math.max(run.furthest, step);
  };
  const putLayers = (run: MutableRun, reading: ChartReading, row: number) => {
    for (const [layer, { trace, alpha }] of layersOf(reading)) {
      const of = layers.get(layer) ?? noValues();
      layers.set(layer, of);
      const columns = run.layers.get(layer) ?? { trace: rows.addColumn() };
      run.layers.set(layer, columns);
      if (trace !== undefined) {
        put(columns.trace, row, trace, of);
      }
      if (alpha !== undefined) {
        columns.alpha ??= rows.addColumn();
        put(columns.alpha, row, alpha);
      }
    }
  };
  const takeReading = (run: MutableRun, step: number, reading: ChartReading) => {
    passAgain(run, step);
    run.readings.set(step, reading);
    const row = rows.lastAtOrBefore(step);
    const { minimumSharpness: value, standardError = 0, reliable = true, trace } = reading;
    const { columns } = run;
    // An error that cannot be trusted makes no 95% interval.
    const half = reliable ? HALF_INTERVAL * standardError : Number.NaN;
    put(columns.value, row, value, span);
    put(columns.high, row, value + half);
    put(columns.low, row, value - half);
    rows.columns[columns.unreliable]![row] = reliable || !Number.isFinite(value) ? undefined : value;
    if (!Number.isFinite(value)) {
      marks.push({ at: step, kind: 'failed', text: `${whenOf(step, reading.epoch)}: Minimum Sharpness is ${value}` });
    }
    if (trace !== undefined) {
      put(columns.trace, row, trace, drawn.trace ? span : undefined);
    }
    if (drawn.layers) {
      putLayers(run, reading, row);
    }
  };

  return {
    runs,
    rows,
    entries,
    marks,
    span,
    layers,
    addRun(name) {
      const columns = {
        value: rows.addColumn(),
        high: rows.addColumn(),
        low: rows.addColumn(),
        trace: rows.addColumn(),
        unreliable: rows.addColumn(),
      };
      const before = Number.NEGATIVE_INFINITY;
      const run: MutableRun = {
        name,
        index: runs.length,
        columns,
        layers: new Map(),
        readings: new Map(),
        last: before,
        furthest: before,
      };
      runs.push(run);
      return run;
    },
    take(news) {
      rows.addRows(news.map(({ step }) => step));
      for (const entry of news) {
        const { run, step, reading, problem } = entry;
        entries.push(entry);
        if (reading || step >= runs[run.index]!.last) {
          latest = entry;
        }
        const here = atStep.get(step);
        if (here) {
          here.push(entry);
        } else {
          atStep.set(step, [entry]);
        }
        if (reading) {
          takeReading(runs[run.index]!, step, reading);
        } else {
          const text = `${whenOf(step, problem.epoch)}: ${problemLine(problem)}`;
          marks.push({ at: step, kind: problem.kind, text });
        }
      }
    },
    latest: () => latest,
    latestRow() {
      return latest ? rows.lastAtOrBefore(latest.step) : -1;
    },
    at: (row) =>
      (atStep.get(rows.x[row]!) ?? []).filter(
        ({ run, step, reading }) => !reading || runs[run.index]!.readings.get(step) === reading,
      ),
    lastReading(run, row) {
      const { readings, columns } = runs[run.index]!;
      const column = rows.columns[columns.value]!;
      for (let at = row; at >= 0; at--) {
        if (column[at] !== undefined) {
          return readings.get(rows.x[at]!);
        }
      }
      return undefined;
    },
  };
}
