import { expect, it } from 'vitest';
import { besides, layerQuantities } from '../../src/report/shown-runs.js';
import { falling, reading, shownOf } from './readings.js';

const shown = (...lists: object[][]) => shownOf(lists);

it('shows all of few readings, and a bounded number of many', () => {
  expect(shown(falling(50))[0]!.shown).toMatchObject({ total: 50, points: { length: 50 } });
  const many = shown(falling(3000), falling(3000));
  expect(many.map(({ shown: { total } }) => total)).toEqual([3000, 3000]);
  expect(many.reduce((sum, { shown: { points } }) => sum + points.length, 0)).toBeLessThan(1010);
});

it('finds the quantities of runs, and sums the traces of a layer', () => {
  const runs = shown(falling(2), [reading(10, 1, { scales: [] })]);
  expect(besides(runs).map(({ name, lines }) => [name, lines.size])).toEqual([
    ['trace', 2],
    ['loss', 1],
  ]);
  const { traces, alphas } = layerQuantities(runs);
  expect(traces.map(({ name, lines }) => [name, lines.size])).toEqual([
    ['first', 2],
    ['head', 2],
  ]);
  expect([...traces[0]!.lines.values()][0]).toEqual([
    { at: 10, value: 12 },
    { at: 20, value: 12 },
  ]);
  expect(alphas.map(({ name, lines }) => [name, lines.size])).toEqual([['first', 1]]);
});
