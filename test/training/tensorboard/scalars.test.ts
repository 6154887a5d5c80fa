import { expect, it } from 'vitest';
import { controlPoints, intervalTags, logPoints, scalarPoints } from '../../../src/training/tensorboard/scalars.js';
import { readingOf } from '../streams/readings.js';

const reading = readingOf(3, {
  standardError: 0.5,
  trace: 7,
  scales: [
    { layer: 'a', alpha: 2 },
    { layer: 'b', alpha: Number.POSITIVE_INFINITY },
    { layer: 'a', alpha: 0 },
  ],
  parameters: ['a/kernel', 'inner/b/kernel', 'a/kernel', 'a/kernel'].map((name, trace) => ({
    name,
    layer: 'a',
    trace,
    standardError: 0,
  })),
});

it('a reading has four groups of charts; names that occur again are numbered, slashes in them are dots', () => {
  expect(scalarPoints(reading, 'val').map(({ tag, value }) => [tag, value])).toEqual([
    ['val/minimum', 3],
    ['val/standard_error', 0.5],
    ['val/trace', 7],
    ['val_interval/lower', 3 - 2.086 * 0.5],
    ['val_interval/upper', 3 + 2.086 * 0.5],
    ['val_alpha/a', 2],
    ['val_alpha/b', Number.POSITIVE_INFINITY],
    ['val_alpha/a_2', 0],
    ['val_trace/a.kernel', 0],
    ['val_trace/inner.b.kernel', 1],
    ['val_trace/a.kernel_2', 2],
    ['val_trace/a.kernel_3', 3],
  ]);
});

it('the largest eigenvalue has a chart where there is one, at either scale', () => {
  const of = (value: number) => ({ value, standardError: 0, reliable: true });
  const topEigenvalues = { given: [of(5), of(4)], balanced: [of(3), of(2)], pairs: 9 };
  const points = scalarPoints(readingOf(1, { topEigenvalues }), 's');
  expect(points.filter(({ tag }) => tag.includes('eigenvalue')).map(({ tag, value }) => [tag, value])).toEqual([
    ['s/top_eigenvalue', 5],
    ['s/top_eigenvalue_balanced', 3],
  ]);
});

it('no two layers share a tag, whatever they are called', () => {
  const scales = ['h', 'h', 'h_2', 'h', 'h_3'].map((layer, i) => ({ layer, alpha: i }));
  const parameters = ['h/a', 'h.a', 'h/a_2'].map((name, trace) => ({ name, layer: 'h', trace, standardError: 0 }));
  const points = scalarPoints(readingOf(1, { scales, parameters }), 's').slice(5);
  expect(points.map(({ tag, value }) => [tag, value])).toEqual([
    ['s_alpha/h', 0],
    ['s_alpha/h_4', 1],
    ['s_alpha/h_2', 2],
    ['s_alpha/h_5', 3],
    ['s_alpha/h_3', 4],
    ['s_trace/h.a', 0],
    ['s_trace/h.a_3', 1],
    ['s_trace/h.a_2', 2],
  ]);
});

it('the interval does not go below 0, where Minimum Sharpness cannot be', () => {
  const [lower, upper] = scalarPoints(readingOf(1, { standardError: 2 }), 's').slice(3, 5);
  expect([lower!.value, upper!.value]).toEqual([0, 1 + 2.086 * 2]);
  expect(intervalTags('s')).toEqual({ value: 's/minimum', lower: lower!.tag, upper: upper!.tag });
});

it('what was logged of an epoch has a chart for each value', () => {
  const points = logPoints({ logs: { loss: 0.5, 'a/b': 1, val_acc: Number.NaN } }, 's');
  expect(points.map(({ tag, value }) => [tag, value])).toEqual([
    ['s_logs/loss', 0.5],
    ['s_logs/a.b', 1],
    ['s_logs/val_acc', Number.NaN],
  ]);
});

it('the numbering begins anew with each reading', () => {
  expect(scalarPoints(reading, 'val')).toEqual(scalarPoints(reading, 'val'));
});

it('a value that a controller has set has one chart', () => {
  const points = controlPoints({ name: 'sam/rho', value: 0.1, previous: 0.2, step: 5 }, 'sharpness');
  expect(points.map(({ tag, value }) => [tag, value])).toEqual([['sharpness_control/sam.rho', 0.1]]);
});

it('every chart says what it shows, in whole sentences', () => {
  const points = [
    ...scalarPoints(reading, 's'),
    ...logPoints({ logs: { loss: 1 } }, 's'),
    ...controlPoints({ name: 'rho', value: 1, previous: 1 }, 's'),
  ];
  for (const { tag, description } of points) {
    expect(description, tag).toMatch(/^[A-Z].*\.$/);
  }
  const groups = new Map(points.map(({ tag, description }) => [tag.replace(/(_alpha|_trace)\/.*/, '$1'), description]));
  expect(new Set(groups.values()).size).toBe(9);
});
