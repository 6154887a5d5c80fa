import { expect, test } from 'vitest';
import { halfInterval } from '../../src/measure/half-interval.js';
import { studentTQuantile } from '../../src/traces/sampling/student-t.js';

test('half the interval has the quantile of 20 degrees of freedom', () => {
  expect(halfInterval({ standardError: 1 })).toBeCloseTo(studentTQuantile(0.975, 20), 3);
  expect(halfInterval({ standardError: 0.5 })).toBe(1.043);
  expect(halfInterval({ standardError: 0 })).toBe(0);
});
