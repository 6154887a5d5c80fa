import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { squaredNormsOfRows } from '../../../src/traces/pairs/vector-norms.js';

it.each([1, 3, 9, 17])('adds up the squares of the rows of %d matrices', (count) => {
  tf.tidy(() => {
    const matrices = Array.from({ length: count }, (_, i) =>
      tf.randomNormal<tf.Rank.R2>([4, 1 + (i % 5)], 0, 1, 'float32', 1 + i),
    );
    const norms = squaredNormsOfRows(matrices);
    expect(norms.shape).toEqual([count, 4]);
    const found = norms.arraySync();
    matrices.forEach((x, i) => {
      [...tf.sum(tf.square(x), 1).dataSync()].forEach((expected, n) => {
        expect(found[i]![n]).toBeCloseTo(expected, 4);
      });
    });
  });
});
