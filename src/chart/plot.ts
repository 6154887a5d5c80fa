import uPlot from 'uplot';
import { type AlignedRows, aloneBetweenGaps } from './aligned-rows.js';
import { logRange, logTicks, paddedRange, roundTicks, tickText } from './axis-ticks.js';
import type { Mark } from './recorded-runs.js';
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
  /** A column of values with a ring around them. */
  readonly rings?: number;
}

/** What may change while a plot is there: then it is made anew. */
export interface PlotLook {
  readonly lines: readonly PlotLine[];
  readonly isLog: boolean;
  readonly theme: Theme;
}

export interface PlotSettings extends PlotLook {
  readonly title: string;
  readonly rows: AlignedRows;
  /** Triangles at the foot. */
  readonly marks: readonly Mark[];
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
  /** What is drawn, for a file. */
  drawn(): DrawnPlot;
  dispose(): void;
}

const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const BAND = '2e'; // opacity of 18%
const RING = 4;

const within = (min: number | null, max: number | null): min is number =>
  Number.isFinite(min) && Number.isFinite(max) && min !== null && max !== null;

const ofSteps = (_: uPlot, min: number, max: number): uPlot.Range.MinMax =>
  within(min, max) ? (min === max ? [min - 1, max + 1] : [min, max]) : [0, 10];
const ofValues = (_: uPlot, min: number, max: number): uPlot.Range.MinMax =>
  within(min, max) ? paddedRange(min, max) : [0, 1];
const ofLogarithms = (_: uPlot, min: number, max: number): uPlot.Range.MinMax =>
  within(min, max) && min > 0 ? logRange(min, max) : [1, 10];

/** Where the pointer is in a plot's own pixels, in a page that is scaled by `zoom` or a transform too, of which uPlot knows nothing. */
function unscaled(over: HTMLElement, event: MouseEvent): MouseEvent {
  const { left, top, width } = over.getBoundingClientRect();
  const scale = width > 0 ? over.offsetWidth / width : 1;
  // A width that is rounded is no scale.
  if (Math.abs(scale - 1) < 0.01) {
    return event;
  }
  const { type, movementX, movementY } = event;
  const [x, y] = [left + scale * (event.clientX - left), top + scale * (event.clientY - top)];
  return { type, movementX, movementY, clientX: x, clientY: y } as MouseEvent;
}

/** Rings and marks closer than this many pixels would hide each other: the first is drawn. */
const CLOSE = 4;
function whereFree(): (x: number, kind: string) => boolean {
  const taken = new Set<string>();
  return (x, kind) => {
    const place = `${Math.round(x / CLOSE)} ${kind}`;
    const isFree = !taken.has(place);
    taken.add(place);
    return isFree;
  };
}

/** Makes a plot in `place`, whose size is the caller's concern. */
export function plotIn(place: HTMLElement, settings: PlotSettings): Plot {
  const { rows, lines, marks, isLog, theme, size, isSmall, key, title, onCursor } = settings;
  const hasRight = lines.some(({ axis }) => axis === 'right');
  const columns = lines.flatMap(({ column, band }) => [column, ...(band ? [band.high, band.low] : [])]);
  const data = () => [rows.x, ...columns.map((column) => rows.columns[column]!)] as uPlot.AlignedData;
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  for (const { column, color, width = 2, dash, axis = 'left', band } of lines) {
    const scale = axis === 'left' ? 'y' : 'right';
    const points: uPlot.Series.Points = {
      size: 5,
      fill: theme.background,
      ...(dash && { show: false }),
      filter: (_, __, isShown) => (isShown ? null : aloneBetweenGaps(rows.columns[column]!)),
    };
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
  const least = isSmall ? 2 : 4;
  const linearAxis = { splits: (_, __, min, max) => roundTicks(min, max, least) } satisfies uPlot.Axis;
  const logAxis = {
    splits: (_, __, min, max) => logTicks(min, max, least),
    filter: (_, splits) => splits,
  } satisfies uPlot.Axis;
  /** Rings, from the upper left corner of the area inside the axes. */
  const ringsOf = (u: uPlot) =>
    lines.flatMap(({ rings = -1, color }) => {
      const found: { x: number; y: number; color: string }[] = [];
      const isFree = whereFree();
      rows.columns[rings]?.forEach((value, row) => {
        const x = typeof value === 'number' ? u.valToPos(rows.x[row]!, 'x') : 0;
        if (typeof value === 'number' && isFree(x, color)) {
          found.push({ x, y: u.valToPos(value, 'y'), color });
        }
      });
      return found;
    });
  const drawRings = (u: uPlot) => {
    const { ctx, bbox } = u;
    const { pxRatio } = uPlot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left - RING * pxRatio, bbox.top, bbox.width + 2 * RING * pxRatio, bbox.height);
    ctx.clip();
    ctx.lineWidth = 1.5 * pxRatio;
    ctx.fillStyle = theme.background;
    for (const { x, y, color } of ringsOf(u)) {
      ctx.strokeStyle = color;
      ctx.beginPath();
      ctx.arc(bbox.left + x * pxRatio, bbox.top + y * pxRatio, RING * pxRatio, 0, 2 * Math.PI);
      ctx.fill();
      ctx.stroke();
    }
    ctx.restore();
  };
  const drawMarks = (u: uPlot) => {
    const { ctx, bbox } = u;
    const foot = bbox.top + bbox.height;
    const half = 5 * uPlot.pxRatio;
    const isFree = whereFree();
    ctx.save();
    for (const { at, kind } of marks) {
      const x = Math.round(u.valToPos(at, 'x', true));
      if (isFree(x / uPlot.pxRatio, kind)) {
        ctx.fillStyle = theme[kind];
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
        bind: {
          mousemove: (u, _, handle) => (event) => {
            handle(unscaled(u.over, event));
            return null;
          },
        },
      },
      scales: {
        x: { time: false, range: ofSteps },
        y: isLog ? { distr: 3, log: 10, range: ofLogarithms } : { range: ofValues },
        ...(hasRight && { right: { distr: 3, log: 10, range: ofLogarithms } }),
      },
      axes: [
        { ...axis, grid: { show: false }, size: 26, space: isSmall ? 48 : 80, values: values('bottom') },
        {
          ...axis,
          scale: 'y',
          grid,
          ...(isLog ? logAxis : linearAxis),
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
        draw: [drawRings, drawMarks],
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
        rings: ringsOf(u).map(({ x, y, color }) => ({ at: [left + x, top + y], color })),
        marks: marks.map(({ at, kind, text }) => ({ at: along('bottom', at), color: theme[kind], text })),
      };
    },
    dispose: () => u.destroy(),
  };
}
