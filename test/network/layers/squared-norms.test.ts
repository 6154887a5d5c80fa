import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  affineSquaredNorms,
  biasSquaredNorm,
  joinKernelInputs,
  joinPositions,
  kernelInputsOf,
  kernelSquaredNorm,
} from '../../../src/network/layers/squared-norms.js';

const random = (shape: [number, number, number], seed: number) =>
  tf.randomUniform(shape, -1, 1, 'float32', seed) as tf.Tensor3D;

/** sum_r || sum_t a_t d_rt^T ||^2 for each sample, by loops. */
function kernelByLoops(a: number[][][], d: number[][][], columns: number): number[] {
  return a.map((rows, n) => {
    let total = 0;
    for (let r = 0; r < columns; r++) {
      const delta = d[r * a.length + n];
      for (let f = 0; f < rows[0].length; f++) {
        for (let o = 0; o < delta[0].length; o++) {
          total += rows.reduce((sum, row, t) => sum + row[f] * delta[t][o], 0) ** 2;
        }
      }
    }
    return total;
  });
}

describe('kernelSquaredNorm', () => {
  it.each([
    ['one position', 1, 5, 4],
    ['few positions: Gram matrices', 2, 50, 30],
    ['many positions: the gradient itself', 40, 3, 2],
  ])('%s', (_, positions, fanIn, fanOut) => {
    const [samples, columns] = [3, 4];
    const [a, d] = [random([samples, positions, fanIn], 1), random([samples * columns, positions, fanOut], 2)];
    const found = tf.tidy(() => kernelSquaredNorm(a, d, columns).arraySync());
    const expected = kernelByLoops(a.arraySync(), d.arraySync(), columns);
    found.forEach((value, n) => {
      expect(value / expected[n]).toBeCloseTo(1, 4);
    });
    tf.dispose([a, d]);
  });
});

describe('affineSquaredNorms', () => {
  it.each([
    ['one position', 1, 5, 4],
    ['few positions: Gram matrices', 2, 50, 30],
    ['many positions: the gradient itself', 40, 3, 2],
  ])('takes the bias for a row of ones: %s', (_, positions, fanIn, fanOut) => {
    const [samples, columns] = [3, 4];
    const [a, d] = [random([samples, positions, fanIn], 1), random([samples * columns, positions, fanOut], 2)];
    const ones = tf.ones([samples, positions, 1]) as tf.Tensor3D;
    const [kernel, bias] = tf.tidy(() => {
      const norms = affineSquaredNorms(kernelInputsOf(a), d, columns);
      return [norms.kernel, norms.bias];
    });
    const [kernels, biases] = [a, ones].map((rows) => kernelByLoops(rows.arraySync(), d.arraySync(), columns));
    for (let n = 0; n < samples; n++) {
      expect(kernel.arraySync()[n] / kernels[n]).toBeCloseTo(1, 4);
      expect(bias.arraySync()[n] / biases[n]).toBeCloseTo(1, 4);
    }
    tf.dispose([a, d, ones, kernel, bias]);
  });

  it('puts the positions of several calls behind each other', () => {
    const calls = [random([2, 3, 4], 1), random([2, 5, 4], 2)];
    const d = random([2 * 3, 8, 2], 3);
    const found = tf.tidy(() =>
      affineSquaredNorms(joinKernelInputs(calls.map(kernelInputsOf)), d, 3).kernel.arraySync(),
    );
    const rows = tf.tidy(() => joinPositions(calls).arraySync());
    kernelByLoops(rows, d.arraySync(), 3).forEach((expected, n) => {
      expect(found[n] / expected).toBeCloseTo(1, 4);
    });
    tf.dispose([...calls, d]);
  });
});

describe('biasSquaredNorm', () => {
  it.each([1, 6])('sums deltas over %i positions before it squares them', (positions) => {
    const d = random([2 * 3, positions, 4], 3);
    const values = d.arraySync();
    const expected = [0, 1].map((n) =>
      [0, 1, 2]
        .map((r) => values[r * 2 + n])
        .reduce((total, rows) => {
          const sums = rows[0].map((_, o) => rows.reduce((sum, row) => sum + row[o], 0));
          return total + sums.reduce((sum, value) => sum + value * value, 0);
        }, 0),
    );
    const found = tf.tidy(() => biasSquaredNorm(d, 3).arraySync());
    found.forEach((value, n) => {
      expect(value / expected[n]).toBeCloseTo(1, 4);
    });
    d.dispose();
  });
});

it('joinPositions puts calls behind each other along the positions', () => {
  const calls = [tf.ones([2, 1, 3]), tf.zeros([2, 2, 3])] as tf.Tensor3D[];
  const joined = joinPositions(calls);
  expect(joined.shape).toEqual([2, 3, 3]);
  tf.dispose([...calls, joined]);
});
