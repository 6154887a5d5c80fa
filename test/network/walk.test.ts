import { expect, it } from 'vitest';
import { atOnce, type Walk } from '../../src/network/walk.js';

it('runs a walk to its end', () => {
  let steps = 0;
  const walk = (function* (): Walk<string> {
    for (; steps < 3; steps++) {
      yield;
    }
    return 'over';
  })();
  expect(atOnce(walk)).toBe('over');
  expect(steps).toBe(3);
});
