import { describe, expect, it } from 'vitest';
import { randomSigns } from '../../../src/traces/sampling/signs.js';
import { uniform } from '../../../src/traces/sampling/uniform.js';

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, sign, i) => sum + sign * b[i], 0);

describe('randomSigns', () => {
  it('are the signs of the uniform numbers of the seed', () => {
    const signs = randomSigns(3, 1000, 50);
    expect([...signs]).toEqual(Array.from({ length: 50 }, (_, i) => (uniform(3, 1000 + i) < 0.5 ? -1 : 1)));
  });

  it('are the same whatever the parts they are drawn in', () => {
    const whole = randomSigns(7, 0, 40);
    expect([...randomSigns(7, 0, 13), ...randomSigns(7, 13, 27)]).toEqual([...whole]);
    expect(randomSigns(7, 5, 0)).toHaveLength(0);
  });

  it('have no mean, and go with no other seed and no other place', () => {
    const length = 20_000;
    const signs = randomSigns(1, 0, length);
    // Four standard errors.
    const bound = 4 * Math.sqrt(length);
    expect(Math.abs(signs.reduce((sum, sign) => sum + sign, 0))).toBeLessThan(bound);
    for (const others of [randomSigns(2, 0, length), randomSigns(1, length, length), randomSigns(1, 1, length)]) {
      expect(Math.abs(dot(signs, others))).toBeLessThan(bound);
    }
    expect(dot(signs, signs)).toBe(length);
  });
});
