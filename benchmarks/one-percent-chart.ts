import type { TopLevelSpec } from 'vega-lite';
import type { Result } from './one-percent-turns.js';
import { byNetwork, color, labelsAt, OTHERS, OURS, shapeOf } from './panels.js';
import { duration } from './report.js';

/** A row a contestant, a panel a network: seconds on a logarithmic axis; hollow where extrapolated. */
export function onePercentChart(results: readonly Result[]): TopLevelSpec {
  const values = results.map(({ network, epochs, title, isOurs, seconds, extrapolated }) => ({
    network: epochs === 0 ? `${network}, not trained` : `${network}, ${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}`,
    title,
    seconds,
    ours: isOurs && title.startsWith('tfjs'),
    kind: extrapolated ? 'extrapolated' : 'measured',
    label: `${extrapolated ? '≈ ' : ''}${duration(seconds)}`,
  }));
  const all = results.map(({ seconds }) => seconds);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  // Room for the labels on the right.
  const domain = [least / 1.5, most * 8 * (most / least) ** 0.15];
  const y = { field: 'title', type: 'nominal', sort: null, title: null, axis: { labelLimit: 0 } } as const;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    title: 'Seconds until the trace over all images is known to 1%',
    data: { values },
    facet: byNetwork(values),
    columns: 3,
    spec: {
      width: 230,
      height: { step: 20 },
      layer: [
        {
          mark: { type: 'point', size: 70, strokeWidth: 1.5 },
          encoding: {
            y,
            x: {
              field: 'seconds',
              type: 'quantitative',
              title: 'seconds',
              scale: { type: 'log', domain, nice: false },
              axis: { gridColor: '#e4e4e4', tickCount: 5, format: '~g', labelOverlap: true },
            },
            color,
            fill: {
              condition: [
                { test: "datum.kind === 'extrapolated'", value: 'white' },
                { test: 'datum.ours', value: OURS },
              ],
              value: OTHERS,
            },
            shape: shapeOf('kind', ['measured', 'extrapolated']),
          },
        },
        labelsAt('seconds', y),
      ],
    },
    config: { font: 'sans-serif', view: { stroke: '#ccc' }, axisY: { labelFontSize: 11, grid: true } },
  };
}
