import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { colour, onColourScheme } from './colours.js';
import { inNextFrame } from './frames.js';
import { short } from './numbers.js';

export interface LineChart {
  /** One x, and a value for each series; null leaves a gap. */
  add(x: number, values: readonly (number | null)[]): void;
  clear(): void;
}

export interface Series {
  readonly label: string;
  /** Name of a colour in `style.css`. */
  readonly colour: string;
  readonly dashed?: boolean;
}

/** Lines over the epochs, as wide as the element and of its height. */
export function lineChart(element: HTMLElement, series: readonly Series[], { percentages = false } = {}): LineChart {
  let data: (number | null)[][] = [[], ...series.map(() => [])];
  const show = (value: number | null | undefined) =>
    value === null || value === undefined ? '' : percentages ? `${(100 * value).toFixed(0)}%` : short(value);
  const axis = {
    stroke: () => colour('soft'),
    grid: { stroke: () => colour('line'), width: 0.75 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  };
  const size = () => ({ width: Math.max(100, element.clientWidth), height: 140 });
  const plot = new uPlot(
    {
      ...size(),
      padding: [8, 20, 0, 0],
      cursor: { y: false, drag: { x: false, y: false } },
      legend: { markers: { show: false } },
      hooks: {
        setCursor: [({ root, cursor }) => void root.toggleAttribute('data-pointed', cursor.idx != null)],
      },
      scales: {
        x: { time: false, range: (_, __, max) => [0, Math.max(1, max ?? 1)] },
        y: percentages
          ? { range: [0, 1] }
          : { range: (_, __, max) => [0, max === null || max === undefined || max <= 0 ? 1 : 1.05 * max] },
      },
      axes: [
        { ...axis, size: 28 },
        { ...axis, size: 46, values: (_, ticks) => ticks.map(show) },
      ],
      series: [
        { label: 'epoch', class: 'epoch', value: (_, value) => (value === null ? '' : String(value)) },
        ...series.map(({ label, colour: name, dashed }) => ({
          label,
          class: dashed ? 'dashed' : 'plain',
          stroke: () => colour(name),
          width: 1.75,
          ...(dashed ? { dash: [5, 4] } : {}),
          spanGaps: true,
          points: { show: false },
          value: (_: uPlot, value: number | null) => show(value),
        })),
      ],
    },
    data as uPlot.AlignedData,
    element,
  );
  new ResizeObserver(() => plot.setSize(size())).observe(element);
  onColourScheme(() => plot.redraw());
  const draw = inNextFrame(() => plot.setData(data as uPlot.AlignedData));
  return {
    add(x, values) {
      data[0].push(x);
      values.forEach((value, i) => {
        data[i + 1].push(value);
      });
      draw();
    },
    clear() {
      data = data.map(() => []);
      draw();
    },
  };
}
