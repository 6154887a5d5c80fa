import { color } from './chart-colors.js';
import { axisLabels, type ValueAxis } from './value-axis.js';

/** A checkpoint's value with its interval. */
export interface CheckpointDot {
  /** Name of its row. */
  readonly row: string;
  readonly run: number;
  readonly color: string;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
  readonly shape: 'circle' | 'cross' | 'diamond';
  readonly isFilled: boolean;
}

/** A row for each checkpoint, with dots and error bars; of several runs beside each other in the row. */
export function checkpointChart(
  width: number,
  rows: readonly string[],
  dots: readonly CheckpointDot[],
  axis: ValueAxis,
): object {
  const [left, right] = axis.domain;
  const within = (value: number) => Math.min(right, Math.max(left, value));
  const runs = [...new Set(dots.map(({ run }) => run))];
  const x = {
    field: 'value',
    type: 'quantitative',
    scale: { ...axis.scale, domain: [left, right], nice: false },
    axis: { title: 'Minimum Sharpness', ...axisLabels(axis), labelOverlap: true },
  } as const;
  const y = {
    field: 'row',
    type: 'nominal',
    sort: null,
    scale: { domain: [...rows], paddingInner: 0.25, paddingOuter: 0.1 },
    axis: {
      title: null,
      labelLimit: Math.round(width * 0.36),
      labelColor: color('ink'),
      labelFontSize: 12,
      grid: false,
    },
  } as const;
  const offset =
    runs.length > 1 ? { yOffset: { field: 'run', type: 'nominal', sort: null, scale: { domain: runs } } as const } : {};
  const own = { field: 'color', type: 'nominal', scale: null, legend: null } as const;
  const values = dots.map((dot) => ({
    ...dot,
    value: within(dot.value),
    fill: dot.isFilled ? dot.color : color('background'),
    ...(dot.low !== undefined && dot.high !== undefined && { low: within(dot.low), high: within(dot.high) }),
  }));
  return {
    width,
    height: rows.length * Math.max(22, 13 * runs.length) + 50,
    autosize: { type: 'fit', contains: 'padding' },
    layer: [
      {
        data: { values: values.filter(({ low }) => low !== undefined) },
        mark: { type: 'rule', size: 2, opacity: 0.55 },
        encoding: { x: { ...x, field: 'low' }, x2: { field: 'high' }, y, ...offset, color: own },
      },
      {
        data: { values },
        mark: { type: 'point', size: 55, strokeWidth: 1.75, opacity: 1 },
        encoding: {
          x,
          y,
          ...offset,
          color: own,
          fill: { field: 'fill', type: 'nominal', scale: null, legend: null },
          shape: { field: 'shape', type: 'nominal', scale: null },
        },
      },
    ],
  };
}
