import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { sphereFactor } from '../../src/network/column-factor.js';
import { outputHessians } from '../../src/network/output-hessian.js';
import { hessianAt, labelsOf, plainLosses, rowsOfPlainLoss, titleOf } from '../brute-force/plain-losses.js';

const sum = (x: readonly number[]) => x.reduce((a, b) => a + b, 0);

describe.each(plainLosses.map((plain) => [titleOf(plain), plain] as const))('%s', (_, plain) => {
  const z = rowsOfPlainLoss(plain);
  const labels = labelsOf(plain, z.length, 4);
  const hessian = (plain.ending && outputHessians[plain.loss].after?.[plain.ending]) ?? outputHessians[plain.loss];
  const columns = hessian.columns(4);
  const ofRows = hessian.byRowSum ? labels.map(sum) : labels.map(() => 1);
  const run = <T>(f: (rows: tf.Tensor2D, y: tf.Tensor2D) => T): T =>
    tf.tidy(() => f(tf.tensor2d(z), tf.tensor2d(labels)) as T & tf.TensorContainer) as T;
  const factor = run((rows, y) => hessian.factor(rows, 0, columns, undefined, y).arraySync());

  it('has the second differences of the loss as C C^T', () => {
    z.forEach((row, n) => {
      hessianAt(plain, row, labels[n]!).forEach((entries, i) => {
        entries.forEach((expected, j) => {
          const found = ofRows[n]! * sum(factor.map((column) => column[n]![i]! * column[n]![j]!));
          // Differences of the third order are h^2 = 1e-6 times derivatives of the fourth.
          expect(Math.abs(found - expected)).toBeLessThanOrEqual(1e-5 + 1e-3 * Math.abs(expected));
        });
      });
    });
  });

  it('gives the same columns one by one, in plain numbers, and divided by powers of two', () => {
    if (plain.isFlat) {
      expect(columns).toBe(0);
      return;
    }
    const chosen = z.map((_, n) => (3 * n + 1) % columns);
    const { each, numbers, exponents, scaled } = run((rows, y) => {
      const powers = hessian.exponents?.(rows);
      return {
        each: hessian.columnOfEach(rows, tf.tensor1d(chosen, 'int32'), undefined, y).arraySync(),
        numbers: (hessian.numbers?.(rows, y) ?? rows).arraySync() as number[][],
        exponents: powers?.arraySync().flat(),
        scaled: hessian.factor(rows, 0, columns, powers, y).arraySync(),
      };
    });
    z.forEach((_, n) => {
      const expected = factor[chosen[n]!]![n]!;
      const inNumbers = hessian.ofRow.column({ all: numbers[n]!, from: 0 }, 4, chosen[n]!);
      const [norms, moved] = [new Float64Array(columns), new Float64Array(columns)];
      const factors = [0.5, 3, 2, 7];
      hessian.ofRow.squaredNorms({ all: numbers[n]!, from: 0 }, 4, { all: factors, from: 0 }, norms, moved);
      expected.forEach((value, k) => {
        expect(Math.abs(each[n]![k]! - value)).toBeLessThanOrEqual(1e-6 * Math.abs(value));
        expect(Math.abs(inNumbers[k]! - value)).toBeLessThanOrEqual(1e-5 * Math.max(...expected.map(Math.abs)));
        const unscaled = scaled[chosen[n]!]![n]![k]! * 2 ** (exponents?.[n] ?? 0);
        expect(Math.abs(unscaled - value)).toBeLessThanOrEqual(1e-5 * Math.abs(value));
      });
      const square = sum(expected.map((v) => v * v));
      const weighted = sum(expected.map((v, k) => factors[k]! * v * v));
      expect(Math.abs(norms[chosen[n]!]! - square)).toBeLessThanOrEqual(1e-5 * square);
      expect(Math.abs(moved[chosen[n]!]! - weighted)).toBeLessThanOrEqual(1e-5 * weighted);
    });
  });

  it('has about the trace as its curvature, and combines columns with signs', () => {
    const traces = z.map((_, n) => sum(factor.map((column) => sum(column[n]!.map((v) => v * v)))));
    const { curvature, combined } = run((rows, y) => {
      const found = hessian.curvature(rows, y);
      return {
        curvature: typeof found === 'number' ? z.map(() => found) : found.arraySync().flat(),
        combined: hessian.combination(rows, (shape) => tf.ones([...shape]), y).arraySync(),
      };
    });
    z.forEach((_, n) => {
      expect(curvature[n]! >= traces[n]! / 2.1 && curvature[n]! <= 2.1 * traces[n]!).toBe(true);
      combined[n]!.forEach((value, k) => {
        expect(value).toBeCloseTo(sum(factor.map((column) => column[n]![k]!)), 5);
      });
    });
  });
});

it('has no direction on a sphere for what is shorter than tf.js divides by', () => {
  const columns = tf.tidy(() => sphereFactor.factor(tf.tensor2d([[1e-5, 0, -1e-5]]), 0, 2).dataSync());
  expect(columns.every((entry) => entry === 0)).toBe(true);
});
