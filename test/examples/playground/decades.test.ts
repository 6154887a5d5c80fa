import { expect, test } from 'vitest';
import { decadesOf, shareOf } from '../../../examples/playground/src/views/decades.js';

test('bars have an axis of eight decades, and of more where their values need them', () => {
  const usual = decadesOf([30, 27], [3e6, 27]);
  expect(usual).toEqual({ least: 1, count: 8, marks: [0, 2, 4, 6, 8] });
  expect(shareOf(usual, 27)).toBeCloseTo(Math.log10(27) / 8);
  const wide = decadesOf([3000, 27], [3e9, 27]);
  expect(wide.count).toBe(10);
  expect(shareOf(wide, 3e9)).toBeLessThan(1);
  expect(decadesOf([1, 1e-9], [1e6, 1e-9])).toMatchObject({ least: 1e-10, count: 16, marks: [0, 4, 8, 12, 16] });
});

test('what has no place on a logarithmic axis has no bar', () => {
  const axis = decadesOf([30, 0], [Number.POSITIVE_INFINITY, Number.NaN]);
  expect(axis).toEqual({ least: 1, count: 8, marks: [0, 2, 4, 6, 8] });
  expect([0, Number.NaN, Number.POSITIVE_INFINITY].map((value) => shareOf(axis, value))).toEqual([0, 0, 1]);
  expect(decadesOf([0, 0], [0, 0]).marks).toEqual([]);
});
