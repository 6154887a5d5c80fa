import uPlot from 'uplot';
import type { AlignedRows } from './aligned-rows.js';
import { logRange, logTicks, paddedRange, roundTicks, tickText } from './axis-ticks.js';
import { bandOutlines, lineShapes, pixelColumns } from './pixel-columns.js';
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
  readonly marks: Iterable<Mark>;
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
const DASHES = '8e'; // 5 of 9 parts, as dashes have them: where a dashed line is too dense for these
const RING = 4;
const WIDTH = 2;
const DOT = 2.5;
/** Pixels of a file's columns in one of the page, as many as its picture has. */
const FILE_RATIO = 2;

const scaleOf = { left: 'y', right: 'right' } as const;
const denseColor = ({ color, dash }: PlotLine) => (dash ? color + DASHES : color);
const filled = (color: string, pieces: DrawnSeries['pieces']): DrawnSeries => ({
  color,
  width: 0,
  dash: [],
  pieces,
  filled: true,
});

/** The area inside the axes, in CSS pixels. */
function areaOf({ bbox }: uPlot): DrawnPlot['area'] {
  const [left, top, width, height] = [bbox.left, bbox.top, bbox.width, bbox.height].map(
    (side) => side / uPlot.pxRatio,
  ) as [number, number, number, number];
  return { left, top, width, height };
}

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
function whereFree(): (x: number) => boolean {
  const taken = new Set<number>();
  return (x) => {
    const place = Math.round(x / CLOSE);
    const isFree = !taken.has(place);
    taken.add(place);
    return isFree;
  };
}

function moveAlong(path: Path2D, [first, ...rest]: readonly (readonly [number, number])[]): void {
  path.moveTo(...first!);
  for (const point of rest) {
    path.lineTo(...point);
  }
}

/** Makes a plot in `place`, whose size is the caller's concern. */
export function plotIn(place: HTMLElement, settings: PlotSettings): Plot {
  const { rows, lines, marks, isLog, theme, size, isSmall, key, title, onCursor } = settings;
  const hasRight = lines.some(({ axis }) => axis === 'right');
  const columns = lines.flatMap(({ column, band }) => [column, ...(band ? [band.high, band.low] : [])]);
  const data = () => [rows.x, ...columns.map((column) => rows.columns[column]!)] as uPlot.AlignedData;
  const series: uPlot.Series[] = [{}];
  /** Shapes of a plot, in pixels of which a CSS pixel has `ratio`. */
  const shapesIn = (u: uPlot, ratio: number) => {
    const { left, top, width } = areaOf(u);
    const { min, max } = u.scales.x as { min: number; max: number };
    const scaled = width / (max - min);
    const columns = (column: number) =>
      pixelColumns(rows.x, rows.columns[column]!, (x) => Math.round(ratio * (left + (x - min) * scaled)));
    const yOf = (scale: string) => (value: number) => Math.round(ratio * (top + u.valToPos(value, scale)));
    return {
      ofLine: ({ column, axis = 'left', width = WIDTH }: PlotLine) =>
        lineShapes(columns(column), yOf(scaleOf[axis]), width * ratio),
      ofBand: ({ high, low }: NonNullable<PlotLine['band']>) =>
        bandOutlines(columns(high), columns(low), yOf(scaleOf.left), WIDTH * ratio),
    };
  };
  /** uPlot's own paths have four points for each column of pixels, which take long to stroke. */
  const lineOf = (u: uPlot, line: PlotLine): uPlot.Series.Paths => {
    const { strokes, bars, dots } = shapesIn(u, uPlot.pxRatio).ofLine(line);
    const [stroke, fill] = [new Path2D(), new Path2D()];
    for (const points of strokes) {
      moveAlong(stroke, points);
    }
    for (const bar of bars) {
      fill.rect(...bar);
    }
    for (const [x, y] of dots) {
      fill.moveTo(x + DOT * uPlot.pxRatio, y);
      fill.arc(x, y, DOT * uPlot.pxRatio, 0, 2 * Math.PI);
    }
    return { stroke, fill, flags: 0 };
  };
  const bandOf = (u: uPlot, band: NonNullable<PlotLine['band']>): uPlot.Series.Paths => {
    const fill = new Path2D();
    for (const outline of shapesIn(u, uPlot.pxRatio).ofBand(band)) {
      moveAlong(fill, outline);
      fill.closePath();
    }
    return { stroke: null, fill, flags: 0 };
  };
  for (const line of lines) {
    const { color, width = WIDTH, dash, axis = 'left', band } = line;
    const scale = scaleOf[axis];
    const points: uPlot.Series.Points = { size: 5, fill: theme.background, ...(dash && { show: false }) };
    series.push({
      scale,
      stroke: color,
      width,
      fill: denseColor(line),
      points: { ...points, filter: () => null },
      paths: (u) => lineOf(u, line),
      ...(dash && { dash: [...dash] }),
    });
    if (band) {
      const edge = { scale, width: 0, points: { show: false } };
      series.push(
        { ...edge, fill: color + BAND, paths: (u) => bandOf(u, band) },
        // A band that reaches down to 0 would take all decades of a logarithmic axis.
        { ...edge, auto: !isLog, paths: () => null },
      );
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
        if (typeof value === 'number' && isFree(x)) {
          found.push({ x, y: u.valToPos(value, 'y'), color });
        }
      });
      return found;
    });
  /** Marks, from the left of that area. */
  const marksOf = (u: uPlot) => {
    const isFree = { failed: whereFree(), skipped: whereFree() };
    return [...marks]
      .map(({ at, kind, text }) => ({ x: u.valToPos(at, 'x'), kind, text }))
      .filter(({ x, kind }) => isFree[kind](x));
  };
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
    ctx.save();
    for (const { x, kind } of marksOf(u)) {
      const at = Math.round(bbox.left + x * uPlot.pxRatio);
      ctx.fillStyle = theme[kind];
      ctx.beginPath();
      ctx.moveTo(at, foot - 1.8 * half);
      ctx.lineTo(at + half, foot);
      ctx.lineTo(at - half, foot);
      ctx.fill();
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
      const shapes = shapesIn(u, FILE_RATIO);
      const piece = (points: readonly (readonly [number, number])[]) =>
        points.map(([x, y]) => [x / FILE_RATIO, y / FILE_RATIO] as const);
      const series = lines.flatMap((line): DrawnSeries[] => {
        const { color, width = WIDTH, dash = [], band } = line;
        const { strokes, bars, dots } = shapes.ofLine(line);
        const corners = bars.map(([x, y, wide, high]) =>
          piece([
            [x, y],
            [x + wide, y],
            [x + wide, y + high],
            [x, y + high],
          ]),
        );
        // A path of one point has no length, and round ends show it.
        const points = dots.map((dot) => piece([dot, dot]));
        return [
          ...(band ? [filled(color + BAND, shapes.ofBand(band).map(piece))] : []),
          filled(denseColor(line), corners),
          { color, width, dash, pieces: strokes.map(piece), filled: false },
          { color: denseColor(line), width: 2 * DOT, dash: [], pieces: points, filled: false },
        ];
      });
      const { left, top, ...rest } = areaOf(u);
      const along = (side: Tick['side'], value: number) =>
        side === 'bottom' ? left + u.valToPos(value, 'x') : top + u.valToPos(value, side === 'left' ? 'y' : 'right');
      return {
        title,
        width: u.width,
        height: u.height,
        area: { left, top, ...rest },
        series,
        ticks: (['left', 'right', 'bottom'] as const).flatMap((side) =>
          ticks[side].map(({ value, text }) => ({ side, at: along(side, value), text })),
        ),
        rings: ringsOf(u).map(({ x, y, color }) => ({ at: [left + x, top + y], color })),
        marks: marksOf(u).map(({ x, kind, text }) => ({ at: left + x, color: theme[kind], text })),
      };
    },
    dispose: () => u.destroy(),
  };
}
