import type { TopLevelSpec } from 'vega-lite';
import type { Result } from './overhead.js';
import { byNetwork, labelsAt, OURS } from './panels.js';
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
    facet: byNetwork(values),
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
          mark: { type: 'rule', strokeWidth: 2, color: OURS },
          encoding: { y, x: { field: 'low', type: 'quantitative' }, x2: { field: 'high' } },
        },
        labelsAt('high', y, 6),
      ],
    },
    config: { font: 'sans-serif', view: { stroke: '#ccc' }, axisY: { labelFontSize: 11 } },
  };
}
