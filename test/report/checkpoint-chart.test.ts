import { expect, it } from 'vitest';
import { type CheckpointDot, checkpointChart } from '../../src/report/checkpoint-chart.js';
import { chartDrawing } from '../../src/report/drawn-chart.js';
import { valueAxis } from '../../src/report/value-axis.js';

const dot = (row: string, value: number, more: Partial<CheckpointDot> = {}): CheckpointDot => ({
  row,
  run: 0,
  color: 'red',
  value,
  low: value - 1,
  high: value + 1,
  shape: 'circle',
  isFilled: true,
  ...more,
});

it('has a row for each checkpoint in the order given, and no bar without an interval', async () => {
  const draw = await chartDrawing();
  const dots = [
    dot('z', 5),
    dot('a', 6, { low: undefined, high: undefined, isFilled: false }),
    dot('z', 7, { run: 1, color: 'blue' }),
  ];
  const spec = checkpointChart(600, ['z', 'a'], dots, valueAxis([5, 7], [4, 8], 4));
  const svg = await draw({ title: 't', description: 'd', spec });
  expect([...svg.matchAll(/>([za])<\/text>/g)].map(([, name]) => name)).toEqual(['z', 'a']);
  expect(svg.match(/<line[^>]* stroke="red"/g)).toHaveLength(1);
  expect(svg.match(/<line[^>]* stroke="blue"/g)).toHaveLength(1);
  expect(svg.match(/fill="var\(--background\)"/g)).toHaveLength(1);
});
