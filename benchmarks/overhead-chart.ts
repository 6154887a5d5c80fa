import type { TopLevelSpec } from 'vega-lite';
import type { Result } from './overhead.js';
import { median } from './statistics.js';

/** A row a schedule, a panel a network: median overhead in processor time as a bar, the extremes as a line. */
export function overheadChart(results: readonly Result[]): TopLevelSpec {
  const values = results
    .filter(({ title }) => title !== 'no callback')
    .map(({ network, title, cpuOverheads }) => ({
      network,
      title,
      median: 100 * median(cpuOverheads),
      low: 100 * Math.min(...cpuOverheads),
      high: 100 * Math.max(...cpuOverheads),
      label: `${(100 * median(cpuOverheads)).toFixed(1)}%`,
    }));
  const y = { field: 'title', type: 'nominal', sort: null, title: null, axis: { labelLimit: 0 } } as const;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    title: 'Processor time that the callback adds to a training',
    data: { values },
    facet: {
      field: 'network',
      type: 'nominal',
      sort: [...new Set(values.map(({ network }) => network))],
      title: null,
      header: { labelFontSize: 13, labelFontWeight: 'bold', labelAnchor: 'start' },
    },
    columns: 2,
    resolve: { scale: { x: 'independent' } },
    spec: {
      width: 260,
      height: { step: 22 },
      layer: [
        {
          mark: { type: 'bar', color: '#f2b184', height: 14 },
          encoding: {
            y,
            x: {
              field: 'median',
              type: 'quantitative',
              title: 'percent',
              axis: { gridColor: '#e4e4e4' },
            },
          },
        },
        {
          mark: { type: 'rule', strokeWidth: 2, color: '#d95f02' },
          encoding: { y, x: { field: 'low', type: 'quantitative' }, x2: { field: 'high' } },
        },
        {
          mark: { type: 'text', align: 'left', dx: 6, fontSize: 10, color: '#333' },
          encoding: { y, x: { field: 'high', type: 'quantitative' }, text: { field: 'label', type: 'nominal' } },
        },
      ],
    },
    config: { font: 'sans-serif', view: { stroke: '#ccc' }, axisY: { labelFontSize: 11 } },
  };
}
