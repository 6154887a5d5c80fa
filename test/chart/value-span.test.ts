import { expect, it } from 'vitest';
import { isWide, noValues, widen } from '../../src/chart/value-span.js';

it.each([
  [[], false],
  [[3], false],
  [[0, 3], false],
  [[1, 20], false],
  [[21, 1], true],
  [[1, -1, 100], false],
  [[1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], false],
  [[1e-12, 0, 1e12], true],
])('whether %j are far apart: %s', (values, wide) => {
  const span = noValues();
  for (const value of values) {
    widen(span, value);
  }
  expect(isWide(span)).toBe(wide);
});
