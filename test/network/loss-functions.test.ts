import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { outputHessians } from '../../src/network/output-hessian.js';
import { gradientAt, labelsOf, plainLosses, rowsOfPlainLoss, titleOf, valueAt } from '../brute-force/plain-losses.js';

describe.each(plainLosses.map((plain) => [titleOf(plain), plain] as const))('%s', (_, plain) => {
  const z = rowsOfPlainLoss(plain);
  const labels = labelsOf(plain, z.length, z[0]!.length);
  const hessian = (plain.ending && outputHessians[plain.loss].after?.[plain.ending]) ?? outputHessians[plain.loss];

  it('has the values and the gradients of tf.js, row by row', () => {
    const { numTensors } = tf.memory();
    const [values, gradients] = tf.tidy(() => {
      const [rows, y] = [tf.tensor2d(z), tf.tensor2d(labels)];
      return [hessian.value!(rows, y).arraySync(), hessian.gradient!(rows, y).arraySync()];
    });
    expect(tf.memory().numTensors).toBe(numTensors);
    z.forEach((row, n) => {
      const value = valueAt(plain, row, labels[n]!);
      expect(Math.abs(values[n]! - value)).toBeLessThanOrEqual(3e-6 * Math.max(1, Math.abs(value)));
      gradientAt(plain, row, labels[n]!).forEach((slope, k) => {
        expect(Math.abs(gradients[n]![k]! - slope)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(slope)));
      });
    });
  });
});
