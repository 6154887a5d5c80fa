import uPlot from 'uplot';
import type { AlignedRows } from './aligned-rows.js';
import type { Theme } from './style.js';
import type { DrawnPlot, DrawnSeries } from './svg.js';

/** One line of a plot. */
export interface PlotLine {
  readonly column: number;
  readonly color: string;
  readonly width?: number;
  readonly dash?: readonly number[];
  /** `right` has an axis of its own, in logarithms. */
  readonly axis?: 'left' | 'right';
  /** Columns of the band around the line. */
  readonly band?: { readonly high: number; readonly low: number };
}

/** A triangle at the foot of a plot. */
export interface PlotMark {
  readonly at: number;
  readonly color: string;
  readonly text: string;
}

export interface PlotSettings {
  readonly title: string;
  readonly rows: AlignedRows;
  readonly lines: readonly PlotLine[];
  readonly marks: readonly PlotMark[];
  readonly isLog: boolean;
  readonly theme: Theme;
  readonly size: { readonly width: number; readonly height: number };
  /** Ticks further apart. */
  readonly isSmall: boolean;
  /** Plots with the same key have their cursors at the same x. */
  readonly key: string;
  /** @param row under the cursor; null where there is none. */
  readonly onCursor?: (row: number | null) => void;
}

/** A canvas with lines over rows that grow. */
export interface Plot {
  /** Draws the rows as they are now. */
  draw(): void;
  setSize(size: { readonly width: number; readonly height: number }): void;
  /** Puts the cursor, and those of the same key, on a row; null takes it away. */
  point(row: number | null): void;
  /** What was drawn, for a file. */
  drawn(): DrawnPlot;
  dispose(): void;
}

const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const BAND = '2e'; // opacity of 18%

/** 12000, 0.05, 3e6, 1e-7 */
export function tickText(value: number): string {
  const size = Math.abs(value);
  const text = String(Number(value.toPrecision(6)));
  return size !== 0 && (size >= 1e6 || size < 1e-3) ? Number(text).toExponential().replace('e+', 'e') : text;
}

const within = (min: number | null, max: number | null): min is number =>
  Number.isFinite(min) && Number.isFinite(max) && min !== null && max !== null;

const ofSteps = (_: uPlot, min: number, max: number): uPlot.Range.MinMax =>
  within(min, max) ? (min === max ? [min - 1, max + 1] : [min, max]) : [0, 10];
/** With room above and below; what differs in its last digits alone is not blown up. */
const padded = (min: number, max: number): uPlot.Range.MinMax => {
  const pad = Math.max((max - min) / 10, Math.max(Math.abs(min), Math.abs(max)) / 100) || 1;
  return [min >= 0 ? Math.max(0, min - pad) : min - pad, max + pad];
};
const ofValues = (_: uPlot, min: number, max: number): uPlot.Range.MinMax =>
  within(min, max) ? padded(min, max) : [0, 1];
const ofLogarithms = (_: uPlot, min: number, max: number): uPlot.Range.MinMax =>
  within(min, max) && min > 0 ? [min / 1.15, max * 1.15] : [1, 10];

/** Four to ten round steps. uPlot's own ticks count up to no end where an axis is short for its values. */
const roundTicks: uPlot.Axis.Splits = (_, __, min, max) => {
  const most = (max - min) / 4;
  const size = 10 ** Math.floor(Math.log10(most));
  const step = size * ([5, 2].find((factor) => factor * size <= most) ?? 1);
  const first = Math.ceil(min / step);
  const count = Math.floor(max / step) - first + 1;
  return count > 0 && count < 20
    ? Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12)))
    : [];
};

/** 1, 2 and 5 of each decade; round steps where there is less than one, powers of ten where there are many. */
const logTicks: uPlot.Axis.Splits = (u, axis, min, max, ...rest) => {
  const decades = Math.log10(max / min);
  if (decades < 0.7) {
    return roundTicks(u, axis, min, max, ...rest);
  }
  const [first, last] = [Math.floor(Math.log10(min)), Math.ceil(Math.log10(max))];
  const every = Math.max(1, Math.ceil(decades / 6));
  const factors = decades > 2.5 ? [1] : [1, 2, 5];
  return Array.from({ length: Math.floor((last - first) / every) + 1 }, (_, i) => first + i * every)
    .flatMap((exponent) => factors.map((factor) => Number(`${factor}e${exponent}`)))
    .filter((value) => value >= min && value <= max);
};

const logAxis = { splits: logTicks, filter: (_: uPlot, splits: number[]) => splits } satisfies uPlot.Axis;

/** Readings between two gaps have no line that shows them: they get points. */
const alone: uPlot.Series.Points.Filter = (u, line, show) => {
  if (show) {
    return null;
  }
  const found: number[] = [];
  let [row, length] = [-1, 0];
  const end = () => {
    if (length === 1) {
      found.push(row);
    }
    length = 0;
  };
  (u.data[line] as (number | null | undefined)[]).forEach((value, i) => {
    if (value === null) {
      end();
    } else if (value !== undefined) {
      row = i;
      length++;
    }
  });
  end();
  return found;
};

/** Makes a plot in `place`, whose size is the caller's concern. */
export function plotIn(place: HTMLElement, settings: PlotSettings): Plot {
  const { rows, lines, marks, isLog, theme, size, isSmall, key, title, onCursor } = settings;
  const hasRight = lines.some(({ axis }) => axis === 'right');
  const columns = lines.flatMap(({ column, band }) => [column, ...(band ? [band.high, band.low] : [])]);
  const data = () => [rows.x, ...columns.map((column) => rows.columns[column]!)] as uPlot.AlignedData;
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  for (const { color, width = 2, dash, axis = 'left', band } of lines) {
    const scale = axis === 'left' ? 'y' : 'right';
    const points = { size: 5, fill: theme.background, filter: alone, ...(dash && { show: false }) };
    series.push({ scale, stroke: color, width, points, ...(dash && { dash: [...dash] }) });
    if (band) {
      const edge = { scale, width: 0, stroke: 'transparent', points: { show: false } };
      // A band that reaches down to 0 would take all decades of a logarithmic axis.
      series.push(edge, { ...edge, auto: !isLog });
      bands.push({ series: [series.length - 2, series.length - 1], fill: color + BAND });
    }
  }

  type Tick = DrawnPlot['ticks'][number];
  const ticks: Record<Tick['side'], { value: number; text: string }[]> = { left: [], right: [], bottom: [] };
  const values = (side: Tick['side']) => (_: uPlot, splits: (number | null)[]) => {
    ticks[side] = splits.flatMap((value) => (value === null ? [] : [{ value, text: tickText(value) }]));
    return splits.map((value) => (value === null ? null : tickText(value)));
  };
  const axis = { stroke: theme.quiet, font: FONT, ticks: { show: false }, gap: 4 } satisfies uPlot.Axis;
  const grid = { stroke: theme.grid, width: 1 };
  const space = isSmall ? 24 : 36;
  const drawMarks = (u: uPlot) => {
    const { ctx, bbox } = u;
    const foot = bbox.top + bbox.height;
    const half = 5 * uPlot.pxRatio;
    const drawn = new Set<string>();
    ctx.save();
    for (const { at, color } of marks) {
      const x = Math.round(u.valToPos(at, 'x', true));
      if (!drawn.has(`${x} ${color}`)) {
        drawn.add(`${x} ${color}`);
        ctx.fillStyle = color;
        ctx.beginPath();
        ctx.moveTo(x, foot - 1.8 * half);
        ctx.lineTo(x + half, foot);
        ctx.lineTo(x - half, foot);
        ctx.fill();
      }
    }
    ctx.restore();
  };
  const u = new uPlot(
    {
      ...size,
      padding: [8, hasRight ? 0 : 20, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false, setScale: false },
        points: { size: 8 },
        sync: { key, scales: ['x', null] },
      },
      scales: {
        x: { time: false, range: ofSteps },
        y: isLog ? { distr: 3, log: 10, range: ofLogarithms } : { range: ofValues },
        ...(hasRight && { right: { distr: 3, log: 10, range: ofLogarithms } }),
      },
      axes: [
        { ...axis, grid: { show: false }, size: 26, space: isSmall ? 70 : 80, values: values('bottom') },
        {
          ...axis,
          scale: 'y',
          grid,
          ...(isLog ? logAxis : { splits: roundTicks }),
          size: isSmall ? 44 : 52,
          space,
          values: values('left'),
        },
        ...(hasRight
          ? [
              {
                ...axis,
                scale: 'right',
                side: 1,
                grid: { show: false },
                size: 42,
                space,
                values: values('right'),
                ...logAxis,
              },
            ]
          : []),
      ],
      series,
      bands,
      hooks: {
        draw: [drawMarks],
        setCursor: [({ cursor: { idx } }) => onCursor?.(idx ?? null)],
      },
    },
    data(),
    place,
  );

  const draw = () => u.batch(() => u.setData(data()));
  // A new plot waits for a microtask, and has no scales until then, which a file that is written at once needs.
  draw();
  const area = () => {
    const [left, top, width, height] = (['left', 'top', 'width', 'height'] as const).map(
      (side) => u.bbox[side] / uPlot.pxRatio,
    ) as [number, number, number, number];
    return { left, top, width, height };
  };
  /** Points of a column between its gaps. */
  const piecesOf = (column: number, scale: string): [number, number][][] => {
    const { left, top } = area();
    const pieces: [number, number][][] = [[]];
    rows.columns[column]!.forEach((value, row) => {
      if (value === null) {
        pieces.push([]);
      } else if (value !== undefined) {
        pieces.at(-1)!.push([left + u.valToPos(rows.x[row]!, 'x'), top + u.valToPos(value, scale)]);
      }
    });
    // A path of one point has no length, and round ends show it.
    return pieces.filter((piece) => piece.length > 0).map((piece) => (piece.length > 1 ? piece : [...piece, ...piece]));
  };
  return {
    draw,
    setSize: ({ width, height }) => u.setSize({ width, height }),
    point(row) {
      const left = row === null ? -10 : u.valToPos(rows.x[row]!, 'x');
      const { setCursor } = u as unknown as {
        setCursor(at: { left: number; top: number }, fires: boolean, isPublic: boolean): void;
      };
      setCursor({ left, top: row === null ? -10 : 10 }, true, true);
    },
    drawn() {
      const drawnSeries = lines.flatMap(({ column, color, width = 2, dash = [], axis: side, band }): DrawnSeries[] => {
        const scale = side === 'right' ? 'right' : 'y';
        const line = { color, width, dash, pieces: piecesOf(column, scale), filled: false };
        if (!band) {
          return [line];
        }
        const high = piecesOf(band.high, scale);
        const low = piecesOf(band.low, scale);
        const pieces = high.map((piece, i) => [...piece, ...[...(low[i] ?? [])].reverse()]);
        return [{ color: color + BAND, width: 0, dash: [], pieces, filled: true }, line];
      });
      const { left, top, ...rest } = area();
      const along = (side: Tick['side'], value: number) =>
        side === 'bottom' ? left + u.valToPos(value, 'x') : top + u.valToPos(value, side === 'left' ? 'y' : 'right');
      return {
        title,
        width: u.width,
        height: u.height,
        area: { left, top, ...rest },
        series: drawnSeries,
        ticks: (['left', 'right', 'bottom'] as const).flatMap((side) =>
          ticks[side].map(({ value, text }) => ({ side, at: along(side, value), text })),
        ),
        marks: marks.map(({ at, color, text }) => ({ at: along('bottom', at), color, text })),
      };
    },
    dispose: () => u.destroy(),
  };
}
