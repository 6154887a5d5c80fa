import type { Observable } from 'rxjs';
import type { SharpnessReading } from 'tfjs-sharpness';
import { sharpnessChart } from 'tfjs-sharpness/chart';

export interface SharpnessCurves {
  /** One more run. The two before it stay, in other colours. */
  addRun(name: string, readings$: Observable<SharpnessReading>): void;
}

/** Runs that are compared. */
const SHOWN = 3;

/** Minimum Sharpness with its 95% band and the plain trace, in the package's own chart. */
export function sharpnessCurves(element: HTMLElement): SharpnessCurves {
  let runs: { readonly name: string; readonly readings: SharpnessReading[] }[] = [];
  const chartOf = (name: string) => sharpnessChart(element, undefined, { name, height: 240, layers: false });
  let chart = chartOf('run 1');
  return {
    addRun(name, readings$) {
      const readings: SharpnessReading[] = [];
      runs = [{ name, readings }, ...runs].slice(0, SHOWN);
      // The run that is under way is the first one, and so always of the same colour.
      chart.dispose();
      chart = chartOf(name);
      for (const before of runs.slice(1)) {
        chart.addRun(before.name);
        for (const reading of before.readings) {
          chart.update(reading, before.name);
        }
      }
      readings$.subscribe((reading) => {
        readings.push(reading);
        chart.update(reading, name);
      });
    },
  };
}
