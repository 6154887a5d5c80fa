import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { aligned, type Scaled, scaledTo, sumOf } from '../../src/network/block-floating-point.js';

/** Two samples and two columns: what a tensor and its exponents stand for, in float64. */
function valuesOf({ tensor, exponent }: Scaled): number[] {
  const exponents = exponent.dataSync();
  return [...tensor.dataSync()].map((value, i) => value * 2 ** exponents[Math.floor(i / 2) % 2]!);
}

const scaled = (values: number[], exponent: number[]): Scaled => ({
  tensor: tf.tensor2d(values, [4, 2]),
  exponent: tf.tensor1d(exponent),
});

it('scaledTo keeps every number, bit by bit, and sets the largest of each sample', () => {
  tf.tidy(() => {
    for (const size of [1, 1e-30, 1e30, 1e-34, 3e38]) {
      const values = [size, -size / 3, 1e-3 * size, 0, size / 7, 0, size / 5, size / 9].map(Math.fround);
      for (const magnitude of [0, 100, -60]) {
        const x = scaled(values, [5, -7]);
        const found = scaledTo(magnitude, x);
        expect(valuesOf(found)).toEqual(valuesOf(x));
        const largest = [...tf.max(tf.reshape(tf.abs(found.tensor), [2, 2, 2]), [0, 2]).dataSync()];
        for (const each of largest) {
          expect(Math.abs(Math.log2(each) - magnitude)).toBeLessThan(2);
        }
      }
    }
  });
});

it('scaledTo leaves zeros, and what is not a number', () => {
  tf.tidy(() => {
    const found = scaledTo(0, scaled([0, 0, Number.NaN, 1, 0, 0, 1, 1], [0, 0]));
    expect([...found.tensor.dataSync()]).toEqual([0, 0, Number.NaN, 1, 0, 0, 1, 1]);
  });
});

it('numbers add up whatever their exponents', () => {
  tf.tidy(() => {
    const a = scaled([1, 2, 3, 4, 5, 6, 7, 8], [300, -300]);
    const b = scaled([1, 1, 1, 1, 1, 1, 1, 1], [299, -290]);
    const expected = valuesOf(a).map((value, i) => value + valuesOf(b)[i]!);
    expect(valuesOf(sumOf(a, b))).toEqual(expected);
    const zero = scaledTo(0, scaled([0, 0, 0, 0, 0, 0, 0, 0], [500, 500]));
    expect(valuesOf(sumOf(a, zero))).toEqual(valuesOf(a));
    expect([...aligned([a, b]).exponent.dataSync()]).toEqual([300, -290]);
  });
});
