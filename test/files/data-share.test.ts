import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { rowsOfShare, sampleRows, tensorRows } from '../../src/files/data-share.js';

test('parts follow each other, hold every sample once, and differ by one sample at most', () => {
  for (const [total, of] of [
    [10, 3],
    [5, 5],
    [103, 5],
    [7, 1],
  ] as const) {
    const rows = Array.from({ length: of }, (_, index) => rowsOfShare({ index, of }, total));
    expect(rows.flatMap(({ begin, end }) => Array.from({ length: end - begin }, (_, i) => begin + i))).toEqual(
      Array.from({ length: total }, (_, i) => i),
    );
    const sizes = rows.map(({ begin, end }) => end - begin);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  }
  expect(() => rowsOfShare({ index: 0, of: 4 }, 3)).toThrow(/^3 samples cannot be measured in 4 parts/);
});

test('rows of tensors and of files; what has another number of samples is refused', () => {
  const rows = { begin: 1, end: 3, total: 4 };
  const tensor = tf.tensor2d([0, 1, 2, 3, 4, 5, 6, 7], [4, 2]);
  const part = tensorRows('x', tensor, rows);
  expect(part.arraySync()).toEqual([
    [2, 3],
    [4, 5],
  ]);
  const samples = { shape: [4, 2], values: Float32Array.from([0, 1, 2, 3, 4, 5, 6, 7]) };
  expect(sampleRows('x', samples, rows)).toEqual({ shape: [2, 2], values: Float32Array.from([2, 3, 4, 5]) });
  expect(() => tensorRows('labels of y', tensor, { ...rows, total: 3 })).toThrow(
    'labels of y has 4 samples, but the data have 3: pass one for each.',
  );
  expect(() => sampleRows("'y.npy'", samples, { ...rows, total: 5 })).toThrow(/^'y.npy' has 4 samples/);
  tf.dispose([tensor, part]);
});
