import { from, type Observable } from 'rxjs';
import type { Problem, SharpnessReading } from 'tfjs-sharpness';
import { sharpnessChart } from 'tfjs-sharpness/chart';

/** What a run says while it trains. */
export interface RunStreams {
  readonly readings$: Observable<SharpnessReading>;
  readonly problems$: Observable<Problem>;
}

export interface SharpnessCurves {
  /** One more run. The two before it stay, in other colours. */
  addRun(name: string, streams: RunStreams): void;
}

/** Runs that are compared. */
const SHOWN = 3;

/** Minimum Sharpness with its 95% band and the plain trace, in the package's own chart. */
export function sharpnessCurves(element: HTMLElement): SharpnessCurves {
  let runs: { readonly name: string; readonly readings: SharpnessReading[]; readonly problems: Problem[] }[] = [];
  const chartOf = (name: string, streams?: RunStreams) =>
    sharpnessChart(element, streams, { name, height: 240, layers: false });
  let chart = chartOf('run 1');
  return {
    addRun(name, streams) {
      const run = { name, readings: [] as SharpnessReading[], problems: [] as Problem[] };
      runs = [run, ...runs].slice(0, SHOWN);
      // The run that is under way is the first one, and so always of the same colour.
      chart.dispose();
      chart = chartOf(name, streams);
      for (const { name, readings, problems } of runs.slice(1)) {
        chart.addRun(name, { readings$: from(readings), problems$: from(problems) });
      }
      streams.readings$.subscribe((reading) => run.readings.push(reading));
      streams.problems$.subscribe((problem) => run.problems.push(problem));
    },
  };
}
