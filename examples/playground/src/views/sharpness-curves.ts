/** The chart of readings. The one place that knows how it is drawn. */
import type { Observable } from 'rxjs';
import type { SharpnessReading } from 'tfjs-sharpness';
import uPlot from 'uplot';
import { colour, onColourScheme } from './colours.js';
import { short } from './numbers.js';

export interface SharpnessCurves {
  /** One more run, drawn in front of those before. */
  addRun(name: string, readings$: Observable<SharpnessReading>): void;
}

/** Minimum Sharpness with its 95% band, and the plain trace, on a logarithmic axis over the epochs. */
export function sharpnessCurves(element: HTMLElement, epochOf: (reading: SharpnessReading) => number): SharpnessCurves {
  let readings: SharpnessReading[] = [];
  let before: SharpnessReading[] = [];
  const columns = () => {
    const places = [...new Set([...readings, ...before].map(epochOf))].sort((a, b) => a - b);
    const at = (list: SharpnessReading[]) => new Map(list.map((reading) => [epochOf(reading), reading]));
    const [now, then] = [at(readings), at(before)];
    const pick = (map: Map<number, SharpnessReading>, value: (reading: SharpnessReading) => number) =>
      places.map((place) => {
        const reading = map.get(place);
        const found = reading === undefined ? null : value(reading);
        return found !== null && found > 0 ? found : null;
      });
    const ms = ({ minimumSharpness }: SharpnessReading) => minimumSharpness;
    return [
      places,
      pick(now, (r) => r.minimumSharpness + 1.96 * r.standardError),
      pick(now, (r) => r.minimumSharpness - 1.96 * r.standardError),
      pick(now, ms),
      pick(now, ({ trace }) => trace),
      pick(then, ms),
    ] as uPlot.AlignedData;
  };
  const axis = {
    stroke: () => colour('soft'),
    grid: { stroke: () => colour('line'), width: 0.75 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  };
  const line = (label: string, name: string, more: Partial<uPlot.Series> = {}): uPlot.Series => ({
    label,
    stroke: () => colour(name),
    width: 2,
    spanGaps: true,
    points: { show: false },
    value: (_, value) => (value === null ? '–' : short(value)),
    ...more,
  });
  const edge = (label: string): uPlot.Series => ({ ...line(label, 'ms', { width: 0 }), class: 'edge' });
  const size = () => ({ width: Math.max(100, element.clientWidth), height: 230 });
  const plot = new uPlot(
    {
      ...size(),
      padding: [8, 8, 0, 0],
      cursor: { y: false, drag: { x: false, y: false } },
      scales: {
        x: { time: false, range: (_, __, max) => [0, Math.max(1, max ?? 1)] },
        y: {
          distr: 3,
          range: (_, min, max) => (min === null || max === null || !(max > 0) ? [1, 100] : [min / 1.3, max * 1.3]),
        },
      },
      axes: [
        { ...axis, size: 28 },
        { ...axis, size: 54, values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : short(tick))) },
      ],
      series: [
        { label: 'epoch', value: (_, value) => (value === null ? '–' : value.toFixed(1).replace('.0', '')) },
        edge('95%, upper'),
        edge('95%, lower'),
        line('Minimum Sharpness', 'ms', { width: 2.5 }),
        line('plain trace', 'trace'),
        line('MS of the run before', 'soft', { dash: [2, 4], width: 1.5 }),
      ],
      bands: [{ series: [1, 2], fill: () => colour('ms-band') }],
    },
    columns(),
    element,
  );
  new ResizeObserver(() => plot.setSize(size())).observe(element);
  onColourScheme(() => plot.redraw());
  return {
    addRun(_, readings$) {
      before = readings.length > 0 ? readings : before;
      const own: SharpnessReading[] = [];
      readings = own;
      plot.setData(columns());
      readings$.subscribe((reading) => {
        own.push(reading);
        plot.setData(columns());
      });
    },
  };
}
