import { expect, test } from 'vitest';
import { eigenvalueDeviation } from '../../benchmarks/eigenvalue-deviation.js';

test('is the root mean square over the turns, of the largest and of the worst', () => {
  // 10% and 0%: sqrt(0.01 / 2); 30% and 10%: sqrt(0.1 / 2).
  const turns = [
    [1.1, 0.7],
    [1, 1.1],
  ];
  expect(eigenvalueDeviation(turns, [1, 1])).toBe('7%, 20%');
  expect(eigenvalueDeviation([[2.1]], [2])).toBe('5%');
});

test('there is none without a reference, or without a turn', () => {
  expect(eigenvalueDeviation([[1.1, 0.7]], undefined)).toBeUndefined();
  expect(eigenvalueDeviation([], [1, 1])).toBeUndefined();
});
