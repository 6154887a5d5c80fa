import { expect, it } from 'vitest';
import { chartDrawing } from '../../src/report/drawn-chart.js';
import { type StepChart, stepChart } from '../../src/report/step-chart.js';
import { valueAxis } from '../../src/report/value-axis.js';

const points = [1, 2, Number.NaN, 4, 5].map((value, at) => ({ at, value, low: value - 0.5, high: value + 0.5 }));
const settings: StepChart = {
  size: { width: 300, height: 200 },
  lines: [{ color: 'red', dash: [], points }],
  signs: [{ at: 2, value: 99, shape: 'diamond', color: 'blue' }],
  axis: valueAxis([1, 5], [], 4),
  from: 0,
  to: 4,
  isJoined: true,
};
const draw = await chartDrawing();
const drawn = (chart: StepChart) => draw({ title: 't', description: 'd', spec: stepChart(chart) });

it('lines and bands break at what is not finite, and signs beyond the axis stand at its end', async () => {
  const svg = await drawn(settings);
  expect(svg.match(/<path[^>]* stroke="red" stroke-width="2"/g)).toHaveLength(2);
  expect(svg.match(/<path[^>]* fill="red"[^>]* opacity="0.17"/g)).toHaveLength(2);
  expect(svg).toMatch(/translate\([\d.]+,0\)"[^>]*stroke="blue"/);
});

it('points of checkpoints are not joined, and each has its interval', async () => {
  const svg = await drawn({ ...settings, isJoined: false });
  expect(svg).not.toMatch(/<path[^>]* fill="red"[^>]* opacity="0.17"/);
  expect(svg.match(/<line[^>]* stroke="red"/g)).toHaveLength(4);
});

it('one reading alone is drawn', async () => {
  expect(
    await drawn({ ...settings, from: 3, to: 3, lines: [{ ...settings.lines[0]!, points: [points[3]!] }] }),
  ).toMatch(/<path[^>]* fill="red"/);
});
