import type { PlotLine } from './plot.js';
import type { RecordedRuns, Run } from './recorded-runs.js';
import type { Theme } from './style.js';

/** How the plain trace and alpha are dashed. */
export const DASH: readonly number[] = [5, 4];

/** The color of a run; they begin anew after the last. */
export const colorOf = ({ index }: Run, { runs }: Theme): string => runs[index % runs.length]!;

/** The lines of the large plot: of each run, Minimum Sharpness with its band, over the plain trace. */
export function sharpnessLines({ runs }: RecordedRuns, theme: Theme, hasTrace: boolean): PlotLine[] {
  return runs.flatMap((run): PlotLine[] => {
    const { value, high, low, trace, unreliable } = run.columns;
    const color = colorOf(run, theme);
    return [
      ...(hasTrace ? [{ column: trace, color, width: 1.25, dash: DASH }] : []),
      { column: value, color, band: { high, low }, rings: unreliable },
    ];
  });
}

/** The lines of a layer's plot: of each run that has the layer, its trace, and alpha if its scale is free. */
export function layerLines({ runs }: RecordedRuns, theme: Theme, layer: string): PlotLine[] {
  return runs.flatMap((run): PlotLine[] => {
    const columns = run.layers.get(layer);
    if (!columns) {
      return [];
    }
    const color = colorOf(run, theme);
    const { trace, alpha } = columns;
    return [
      { column: trace, color, width: 1.5 },
      ...(alpha === undefined ? [] : [{ column: alpha, color, width: 1.25, dash: DASH, axis: 'right' } as const]),
    ];
  });
}
