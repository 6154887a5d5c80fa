import type { TopLevelSpec } from 'vega-lite';
import type { Result } from './scaling.js';

/** Processor time above, memory below, a column for what is varied; all axes logarithmic. */
export function scalingChart(results: readonly Result[]): TopLevelSpec {
  const axes = [...new Set(results.map(({ axis }) => axis))];
  const titles = [...new Set(results.map(({ title }) => title))];
  const panel = (axis: string, field: 'cpuMs' | 'peakMB', title: string) => ({
    width: 190,
    height: 150,
    data: { values: results.filter((each) => each.axis === axis) },
    mark: { type: 'line' as const, point: true },
    encoding: {
      x: {
        field: 'value',
        type: 'quantitative' as const,
        title: axis,
        scale: { type: 'log' as const, nice: false },
        axis: { format: '~s', tickCount: 4, gridColor: '#e4e4e4' },
      },
      y: {
        field,
        type: 'quantitative' as const,
        title: axis === axes[0] ? title : null,
        scale: { type: 'log' as const },
        axis: { format: '~s', tickCount: 4, gridColor: '#e4e4e4' },
      },
      color: {
        field: 'title',
        type: 'nominal' as const,
        title: null,
        sort: titles,
        scale: { domain: titles, range: ['#4c6a8d', '#d95f02'] },
        legend: { orient: 'top' as const },
      },
    },
  });
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    vconcat: [
      { hconcat: axes.map((axis) => panel(axis, 'cpuMs', 'processor time, ms')) },
      { hconcat: axes.map((axis) => panel(axis, 'peakMB', 'peak memory, MB')) },
    ],
    config: { font: 'sans-serif', view: { stroke: '#ccc' } },
  };
}
