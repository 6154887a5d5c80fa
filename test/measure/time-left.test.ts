import { expect, it, vi } from 'vitest';
import { timeLeft } from '../../src/measure/time-left.js';

it('goes by what the work so far has taken, without what came before it', () => {
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  const left = timeLeft();
  expect(left(0, undefined)).toBeUndefined();
  now = 5000;
  expect(left(0, 100)).toBeUndefined();
  now = 5100;
  expect(left(10, 100)).toEqual({ ms: 900, timed: 100 });
  now = 5200;
  expect(left(40, 100)).toEqual({ ms: 300, timed: 200 });
  expect(left(40, undefined)).toBeUndefined();
  // More are wanted than were planned.
  expect(left(40, 200)).toEqual({ ms: 800, timed: 200 });
  expect(left(100, 100)?.ms).toBe(0);
  // Other work, from its beginning.
  expect(left(3, 100)).toBeUndefined();
  now = 5210;
  expect(left(4, 100)).toEqual({ ms: 960, timed: 10 });
  clock.mockRestore();
});
