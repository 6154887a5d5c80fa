import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { multiplyEachColumn, repeatForColumns } from '../../../src/network/layers/columns.js';

describe('columns, stacked over the samples', () => {
  it.each([1, 2, 3])('are multiplied by what is the same for all of them: %i', (columns) => {
    tf.tidy(() => {
      const factor = tf.tensor3d([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]);
      const delta = tf.reshape(tf.range(1, columns * 8 + 1), [columns * 2, 2, 2]);
      const found = multiplyEachColumn(delta, factor, columns);
      expect(found.shape).toEqual([columns * 2, 2, 2]);
      expect([...found.dataSync()]).toEqual(Array.from({ length: columns * 8 }, (_, i) => (i + 1) * ((i % 8) + 1)));
    });
  });

  it.each([1, 3])('are what samples are repeated for, all samples and then all again: %i', (columns) => {
    tf.tidy(() => {
      const x = tf.tensor3d([1, 2, 3, 4, 5, 6], [2, 3, 1]);
      const found = repeatForColumns(x, columns);
      expect(found.shape).toEqual([columns * 2, 3, 1]);
      expect([...found.dataSync()]).toEqual(Array.from({ length: columns * 6 }, (_, i) => (i % 6) + 1));
    });
  });

  it('of samples that are truth values stay truth values', () => {
    tf.tidy(() => {
      const found = repeatForColumns(tf.tensor2d([1, 0], [2, 1], 'bool'), 2);
      expect(found.dtype).toBe('bool');
      expect([...found.dataSync()]).toEqual([1, 0, 1, 0]);
    });
  });
});
