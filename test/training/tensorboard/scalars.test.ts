import { expect, it } from 'vitest';
import { controlPoints, scalarPoints } from '../../../src/training/tensorboard/scalars.js';
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

it('a reading has three groups of charts; names that occur again are numbered, slashes in them are dots', () => {
  expect(scalarPoints(reading, 'val').map(({ tag, value }) => [tag, value])).toEqual([
    ['val/minimum', 3],
    ['val/standard_error', 0.5],
    ['val/trace', 7],
    ['val_alpha/a', 2],
    ['val_alpha/b', Number.POSITIVE_INFINITY],
    ['val_alpha/a_2', 0],
    ['val_trace/a.kernel', 0],
    ['val_trace/inner.b.kernel', 1],
    ['val_trace/a.kernel_2', 2],
    ['val_trace/a.kernel_3', 3],
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
  const points = [...scalarPoints(reading, 's'), ...controlPoints({ name: 'rho', value: 1, previous: 1 }, 's')];
  for (const { tag, description } of points) {
    expect(description, tag).toMatch(/^[A-Z].*\.$/);
  }
  const groups = new Map(points.map(({ tag, description }) => [tag.replace(/(_alpha|_trace)\/.*/, '$1'), description]));
  expect(new Set(groups.values()).size).toBe(6);
});
