import type { TopLevelSpec } from 'vega-lite';
import type { Result } from './kernel-turns.js';
import { byNetwork, color, labelsAt, OTHERS, OURS, shapeOf } from './panels.js';
import { quantile } from './statistics.js';

/** What one row of a panel shows. */
export interface TimedRow {
  /** The panel. */
  readonly network: string;
  readonly contestant: string;
  readonly ours: boolean;
  readonly exact: boolean;
  /** Milliseconds, and their quartiles. */
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** The largest setting of each network. */
export function kernelChart(results: readonly Result[]): TopLevelSpec {
  const largest = new Map(results.map(({ setting }) => [setting.network, setting]));
  const shown = results.filter(
    ({ setting, repetitions }) => largest.get(setting.network) === setting && repetitions.length > 0,
  );
  const rows = shown.map(({ setting, contestant, repetitions }) => {
    const ms = repetitions.map((repetition) => repetition.ms);
    return {
      network: `${setting.network}, ${setting.samples} images`,
      contestant: contestant.title,
      ours: contestant.title.startsWith('tfjs-sharpness'),
      exact: contestant.exact,
      median: quantile(ms, 0.5),
      low: quantile(ms, 0.25),
      high: quantile(ms, 0.75),
    };
  });
  return timesChart(rows);
}

/** A row a contestant, its median and quartiles on a logarithmic axis; a panel a network. */
export function timesChart(rows: readonly TimedRow[]): TopLevelSpec {
  const values = rows.map((row) => ({
    ...row,
    exact: row.exact ? 'exact' : 'estimate',
    label: labelOf(row.median),
  }));
  const y = { field: 'contestant', type: 'nominal', sort: null, title: null } as const;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    data: { values },
    facet: byNetwork(values),
    columns: 2,
    resolve: { scale: { x: 'independent', y: 'independent' } },
    spec: {
      width: 300,
      height: { step: 19 },
      layer: [
        {
          mark: { type: 'rule', strokeWidth: 2 },
          encoding: { y, color, x: { field: 'low', type: 'quantitative' }, x2: { field: 'high' } },
        },
        {
          mark: { type: 'point', size: 70, strokeWidth: 1.5 },
          encoding: {
            y,
            stroke: { condition: { test: 'datum.ours', value: OURS }, value: OTHERS },
            x: {
              field: 'median',
              type: 'quantitative',
              title: 'milliseconds',
              scale: { type: 'log', nice: false, padding: 30 },
              axis: { gridColor: '#e4e4e4', labelFlush: true, tickCount: 5, format: '~s' },
            },
            fill: {
              condition: { test: "datum.exact === 'exact' && datum.ours", value: OURS },
              value: 'white',
            },
            shape: shapeOf('exact', ['exact', 'estimate']),
          },
        },
        labelsAt('high', y),
      ],
    },
    config: { font: 'sans-serif', view: { stroke: '#ccc' }, axisY: { labelFontSize: 11, labelLimit: 400, grid: true } },
  };
}

function labelOf(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
