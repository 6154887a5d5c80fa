import { expect, it } from 'vitest';
import type { Chart } from '../../src/report/drawn-chart.js';
import { figuresOf } from '../../src/report/figures.js';
import { runRecorder } from '../../src/report/report-run.js';
import { shownRuns } from '../../src/report/shown-runs.js';
import { falling, reading } from './readings.js';

async function figures(...lists: object[][]) {
  const runs = lists.map((objects, i) => {
    const recorder = runRecorder();
    for (const each of objects) {
      recorder.take(each);
    }
    return recorder.run(`run ${i}`);
  });
  const charts: Chart[] = [];
  const found = await figuresOf(shownRuns(runs), async (chart) => {
    charts.push(chart);
    return '<svg/>';
  });
  return { ...found, charts };
}

const checkpoints = (count: number) =>
  Array.from({ length: count }, (_, i) => reading(undefined, i + 1, { model: `c/${i}/model.json` }));

it('draws a training over batches, and what belongs to it', async () => {
  const { main, groups } = await figures(falling(5));
  expect(main.map(({ title }) => title)).toEqual(['Minimum Sharpness over training batches']);
  expect(groups.map(({ title, figures: all }) => [title, all.map((each) => each.title)])).toEqual([
    ['Trace, loss and what was logged', ['trace', 'loss']],
    ['Traces of layers', ['first', 'head']],
    ['Alphas of layers', ['first']],
  ]);
  expect(main[0]!.key.map(({ words }) => words)).toEqual(['95% interval']);
});

it('explains each sign that there is, and says what it does not draw', async () => {
  const bad = [
    reading(1, 1, { reliable: false }),
    reading(2, 1, { collapsed: true }),
    reading(3, 'NaN'),
    { kind: 'failed', step: 3, epoch: 0, message: 'x' },
  ];
  const { main } = await figures([...bad, ...falling(3000)]);
  expect(main[0]!.key.map(({ shape }) => shape)).toEqual(['band', 'circle', 'cross', 'diamond', 'triangle-up']);
  expect(main[0]!.note).toMatch(/^Drawn and listed are \d+ of 3003 readings/);
});

it('checkpoints are rows, many of them numbers; both kinds are beside each other', async () => {
  expect((await figures(checkpoints(3))).charts[0]!.spec).toHaveProperty('layer[0].encoding.y.type', 'nominal');
  const many = await figures(checkpoints(80));
  expect(many.charts[0]!.spec).toHaveProperty('layer[0].encoding.y.type', 'quantitative');
  const both = await figures(falling(3), checkpoints(3));
  expect(both.main).toHaveLength(2);
  expect(both.groups.map(({ title }) => title)).toContain('Traces of layers, of checkpoints');
});

it('of many layers the greatest traces are drawn, and the page says so', async () => {
  const parameters = Array.from({ length: 100 }, (_, i) => ({ name: `l${i}/kernel`, layer: `l${i}`, trace: i }));
  const { groups } = await figures([
    reading(1, 1, { parameters, scales: [] }),
    reading(2, 1, { parameters, scales: [] }),
  ]);
  const layers = groups.find(({ title }) => title === 'Traces of layers')!;
  expect(layers.figures).toHaveLength(24);
  expect(layers.figures.map(({ title }) => title)).toContain('l99');
  expect(layers.note).toBe('Drawn are 24 of 100, those of the greatest traces at the end.');
});

it('losses of checkpoints that are not finite are marked', async () => {
  const losses = ['Infinity', null, 'foo'].map((loss, i) => reading(undefined, 1, { model: `c/${i}`, loss }));
  const { groups } = await figures(losses);
  const loss = groups[0]!.figures.find(({ title }) => title === 'loss, measured')!;
  expect(loss.key).toEqual([{ shape: 'diamond', words: '2 values not finite' }]);
});

it('the axis of what was logged holds all of it, though less was measured', async () => {
  const logs = [100, 300, 1200].map((step) => ({ step, logs: { loss: 1 / step } }));
  const { charts } = await figures([...logs, reading(500, 1), reading(1000, 1)]);
  const domains = charts.map(({ title, spec }) => [
    title,
    JSON.stringify(spec).match(/"domain":(\[[^\]]*\]),"nice":false,"padding"/)![1],
  ]);
  expect(Object.fromEntries(domains)).toMatchObject({
    'Minimum Sharpness over training batches': '[500,1000]',
    'loss: Trace, loss and what was logged': '[100,1200]',
    'first: Traces of layers': '[500,1000]',
  });
});
