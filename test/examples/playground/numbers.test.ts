import { expect, test } from 'vitest';
import { sharpnessRemarks, short } from '../../../examples/playground/src/views/numbers.js';

test('numbers are short, and what is not finite is named', () => {
  expect([0, 27.4159, 12345, 3.2e10, 1e-5].map((value) => short(value))).toEqual([
    '0',
    '27.4',
    '12,300',
    '3.2e10',
    '1.0e-5',
  ]);
  expect([Number.POSITIVE_INFINITY, Number.NaN].map((value) => short(value))).toEqual(['Infinity', 'NaN']);
});

test('behind Minimum Sharpness stands half its 95% interval, and what makes it doubtful', () => {
  const reading = { standardError: 0.55, reliable: true, collapsed: false };
  expect(sharpnessRemarks(reading)).toBe('± 1.1');
  expect(sharpnessRemarks({ ...reading, reliable: false })).toBe('± 1.1, error not reliable');
  expect(sharpnessRemarks({ ...reading, standardError: 0 })).toBe('');
  expect(sharpnessRemarks({ ...reading, standardError: 0, collapsed: true })).toBe('the network has collapsed');
});
