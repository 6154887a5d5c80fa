import type { TopLevelSpec } from 'vega-lite';
import type { Result } from './kernel.js';
import { quantile } from './statistics.js';

/** The largest setting of each network: a row a contestant, its median and quartiles on a logarithmic axis. */
export function kernelChart(results: readonly Result[]): TopLevelSpec {
  const largest = new Map(results.map(({ setting }) => [setting.network, setting]));
  const shown = results.filter(
    ({ setting, repetitions }) => largest.get(setting.network) === setting && repetitions.length > 0,
  );
  const values = shown.map(({ setting, contestant, repetitions }) => {
    const ms = repetitions.map((repetition) => repetition.ms);
    return {
      network: `${setting.network}, ${setting.samples} images`,
      contestant: contestant.title,
      ours: contestant.title.startsWith('tfjs-sharpness'),
      exact: contestant.exact ? 'exact' : 'estimate',
      median: quantile(ms, 0.5),
      low: quantile(ms, 0.25),
      high: quantile(ms, 0.75),
      label: ms.length > 0 ? labelOf(quantile(ms, 0.5)) : '',
    };
  });
  const y = { field: 'contestant', type: 'nominal', sort: null, title: null } as const;
  const color = {
    field: 'ours',
    type: 'nominal',
    legend: null,
    scale: { domain: [true, false], range: ['#d95f02', '#4c6a8d'] },
  } as const;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    data: { values },
    facet: {
      field: 'network',
      type: 'nominal',
      sort: [...new Set(values.map(({ network }) => network))],
      title: null,
      header: { labelFontSize: 13, labelFontWeight: 'bold', labelAnchor: 'start' },
    },
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
            stroke: { condition: { test: 'datum.ours', value: '#d95f02' }, value: '#4c6a8d' },
            x: {
              field: 'median',
              type: 'quantitative',
              title: 'milliseconds',
              scale: { type: 'log', nice: false, padding: 30 },
              axis: { gridColor: '#e4e4e4', labelFlush: true, tickCount: 5, format: '~s' },
            },
            fill: {
              condition: { test: "datum.exact === 'exact' && datum.ours", value: '#d95f02' },
              value: 'white',
            },
            shape: {
              field: 'exact',
              type: 'nominal',
              title: null,
              scale: { domain: ['exact', 'estimate'], range: ['circle', 'diamond'] },
              legend: { orient: 'top' },
            },
          },
        },
        {
          mark: { type: 'text', align: 'left', dx: 9, fontSize: 10, color: '#333' },
          encoding: { y, x: { field: 'high', type: 'quantitative' }, text: { field: 'label', type: 'nominal' } },
        },
      ],
    },
    config: { font: 'sans-serif', view: { stroke: '#ccc' }, axisY: { labelFontSize: 11, labelLimit: 400, grid: true } },
  };
}

function labelOf(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
