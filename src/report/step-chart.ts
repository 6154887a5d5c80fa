import { color } from './chart-colors.js';
import { axisLabels, type ValueAxis } from './value-axis.js';

/** A value of a line, in its own color. */
export interface LinePoint {
  readonly at: number;
  /** What is not finite leaves a gap. */
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
}

/** Points that belong together. */
export interface ChartLine {
  readonly color: string;
  readonly dash: readonly number[];
  readonly points: readonly LinePoint[];
}

/** A sign at a point of the chart. */
export interface Sign {
  readonly at: number;
  readonly value: number;
  readonly shape: 'circle' | 'cross' | 'triangle-up' | 'diamond';
  readonly color: string;
}

/** What a chart over steps shows. */
export interface StepChart {
  readonly size: { readonly width: number; readonly height: number };
  readonly lines: readonly ChartLine[];
  readonly signs: readonly Sign[];
  /** Title of the axis of steps; none where it is said elsewhere. */
  readonly across?: string;
  readonly axis: ValueAxis;
  readonly from: number;
  readonly to: number;
  /** Whether lines join the points; else each has its interval as a bar. */
  readonly isJoined: boolean;
}

/** Lines with more points than one every so many pixels show none of them. */
const DOT_EVERY = 14;

/** A chart over steps, or over numbers of checkpoints: bands, lines, points and signs, in this order. */
export function stepChart({ size, lines, signs, across, axis, from, to, isJoined }: StepChart): object {
  const [bottom, top] = axis.domain;
  const within = (value: number) => Math.min(top, Math.max(bottom, value));
  const x = {
    field: 'at',
    type: 'quantitative',
    scale: {
      domain: from === to ? [from - 1, to + 1] : [from, to],
      nice: false,
      padding: isJoined ? 0 : 8,
      zero: false,
    },
    axis: {
      title: across ?? null,
      grid: false,
      format: '~d',
      tickMinStep: 1,
      tickCount: Math.max(2, Math.floor(size.width / 90)),
      labelFlush: isJoined,
      labelOverlap: true,
    },
  } as const;
  const y = {
    field: 'value',
    type: 'quantitative',
    scale: { ...axis.scale, domain: [...axis.domain], nice: false },
    axis: { title: null, ...axisLabels(axis) },
  } as const;
  const own = { field: 'color', type: 'nominal', scale: null, legend: null } as const;
  const pieces = lines.map(piecesOf);
  const bands = pieces
    .flat()
    .flat()
    .flatMap((point) =>
      point.low === undefined || point.high === undefined
        ? []
        : [{ ...point, low: within(point.low), high: within(point.high) }],
    );
  const interval = { x, y: { ...y, field: 'low' }, y2: { field: 'high' } };
  const joined = lines.flatMap((_, i) => (isJoined ? [pieces[i]!.flat()] : []));
  const dots = lines.flatMap((line, i) => {
    const all = pieces[i]!;
    // A point between two gaps makes no line.
    return (
      isJoined && line.points.length > size.width / DOT_EVERY ? all.filter((piece) => piece.length === 1) : all
    ).flat();
  });
  return {
    ...size,
    autosize: { type: 'fit', contains: 'padding' },
    layer: [
      isJoined
        ? {
            data: { values: bands.map((each) => ({ ...each, part: each.band })) },
            mark: { type: 'area', opacity: 0.17, line: false },
            encoding: { ...interval, fill: own, detail: { field: 'part', type: 'nominal' } },
          }
        : { data: { values: bands }, mark: { type: 'rule', size: 1.5 }, encoding: { ...interval, color: own } },
      ...joined.map((values, i) => ({
        data: { values },
        mark: {
          type: 'line',
          strokeWidth: 2,
          strokeJoin: 'round',
          strokeCap: 'round',
          strokeDash: [...lines[i]!.dash],
        },
        encoding: { x, y, color: own, detail: { field: 'piece', type: 'nominal' } },
      })),
      {
        data: { values: dots },
        mark: { type: 'point', filled: true, size: 22, opacity: 1 },
        encoding: { x, y, color: own },
      },
      {
        data: { values: signs.map((sign) => ({ ...sign, value: within(sign.value) })) },
        mark: { type: 'point', size: 60, strokeWidth: 1.75, opacity: 1, fill: color('background') },
        encoding: { x, y, color: own, shape: { field: 'shape', type: 'nominal', scale: null } },
      },
    ],
  };
}

interface PiecePoint extends LinePoint {
  readonly color: string;
  /** Which stretch of a line it belongs to, and which of its band. */
  readonly piece: string;
  readonly band: string;
}

/** The stretches between gaps. */
function piecesOf({ color: own, points }: ChartLine, line: number): PiecePoint[][] {
  const pieces: PiecePoint[][] = [];
  let [isOpen, band] = [false, 0];
  for (const point of points) {
    if (!Number.isFinite(point.value)) {
      isOpen = false;
      continue;
    }
    if (!isOpen) {
      pieces.push([]);
      band++;
      isOpen = true;
    }
    band += point.low === undefined ? 1 : 0;
    pieces.at(-1)!.push({ ...point, color: own, piece: `${line}.${pieces.length}`, band: `${line}.${band}` });
  }
  return pieces;
}
