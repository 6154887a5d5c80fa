import { expect, test } from 'vitest';
import { digits } from '../../src/measure/digits.js';

test('numbers in few digits', () => {
  expect([27.4249, 0.1, 1e-9, 123456, Number.POSITIVE_INFINITY, Number.NaN].map((value) => digits(value))).toEqual([
    '27.42',
    '0.1',
    '1e-9',
    '123500',
    'Infinity',
    'NaN',
  ]);
  expect(digits(0.12345, 2)).toBe('0.12');
});
