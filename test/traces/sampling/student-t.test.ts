import { describe, expect, it } from 'vitest';
import { studentT, studentTQuantile } from '../../../src/traces/sampling/student-t.js';

/** P(|T| <= t) from the integral of cos^(v-1) up to atan(t / sqrt v), by Simpson's rule. */
function central(t: number, degrees: number): number {
  const integral = (end: number) => {
    const n = 20_000;
    let sum = 0;
    for (let i = 0; i <= n; i++) {
      const weight = i === 0 || i === n ? 1 : i % 2 === 1 ? 4 : 2;
      sum += weight * Math.max(0, Math.cos((end * i) / n)) ** (degrees - 1);
    }
    return (sum * end) / n / 3;
  };
  return integral(Math.atan(t / Math.sqrt(degrees))) / integral(Math.PI / 2);
}

describe("Student's t", () => {
  // Printed tables, and closed forms for 1 and 2 degrees of freedom.
  it.each([
    [0.975, 1, Math.tan(Math.PI * 0.475)],
    [0.975, 2, 0.95 * Math.sqrt(2 / (4 * 0.975 * 0.025))],
    [0.9, 2, 0.8 * Math.sqrt(2 / (4 * 0.9 * 0.1))],
    [0.975, 3, 3.182446305284263],
    [0.975, 5, 2.570581835636314],
    [0.995, 10, 3.169272667175838],
    [0.975, 30, 2.042272456301238],
    [0.975, 100, 1.983971518523552],
    [0.975, Number.POSITIVE_INFINITY, 1.959963984540054],
  ])('has its %d quantile at %d degrees of freedom', (probability, degrees, expected) => {
    expect(Math.abs(studentTQuantile(probability, degrees) / expected - 1)).toBeLessThan(1e-7);
  });

  it.each([2, 2.5, 3.7, 7.25, 19.9, 63.2, 412])('agrees with the integral at %d degrees of freedom', (degrees) => {
    for (const t of [0.1, 0.9, 1.96, 3.1, 8]) {
      expect(2 * studentT(t, degrees) - 1).toBeCloseTo(central(t, degrees), 9);
    }
    expect(central(studentTQuantile(0.975, degrees), degrees)).toBeCloseTo(0.95, 9);
  });

  it('holds where the two forms of the continued fraction meet', () => {
    for (let degrees = 2; degrees < 300; degrees += 0.37) {
      // x = (a + 1) / (a + b + 2) with a = degrees / 2, b = 1 / 2.
      const x = (degrees / 2 + 1) / (degrees / 2 + 2.5);
      const t = Math.sqrt(degrees * (1 / x - 1));
      const [below, at, above] = [t * (1 - 1e-15), t, t * (1 + 1e-15)].map((each) => studentT(each, degrees));
      expect(Math.max(Math.abs(below - at), Math.abs(above - at))).toBeLessThan(1e-12);
    }
  });
});
