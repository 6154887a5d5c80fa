import { expect, it } from 'vitest';
import { chartDrawing } from '../../src/report/drawn-chart.js';

const spec = {
  width: 200,
  height: 100,
  data: {
    values: [
      { x: 1, y: 0.995 },
      { x: 2, y: 1.005 },
    ],
  },
  mark: { type: 'line', color: 'var(--run-0)' },
  encoding: {
    x: { field: 'x', type: 'quantitative' },
    y: { field: 'y', type: 'quantitative', scale: { zero: false }, axis: { values: [0.995, 1.005], format: '.3f' } },
  },
};

it('is told in words, keeps the digits of its labels, and names nothing outside', async () => {
  const draw = await chartDrawing();
  const first = await draw({ title: '<b>$& "x"', description: "$' & more", spec });
  expect(first).toContain('<title id="chart-1-title">&lt;b&gt;$&amp; &quot;x&quot;</title>');
  expect(first).toContain(`<desc id="chart-1-desc">$' &amp; more</desc>`);
  expect(first).toContain('>0.995</text>');
  expect(first).toContain('stroke="var(--run-0)"');
  expect(first.replace('xmlns="http://www.w3.org/2000/svg"', '')).not.toMatch(/https?:|class=|aria-hidden/);
  expect(await draw({ title: '', description: '', spec })).toContain('chart-2-title');
});
