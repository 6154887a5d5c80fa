import { expect, it } from 'vitest';
import { BatchMeans } from '../../../src/training/stopping/batch-means.js';

it('weights batches by their samples, and begins anew once taken', () => {
  const means = new BatchMeans();
  means.add(3, 1, 0.5);
  means.add(1, 5, 1);
  expect(means.take()).toEqual({ loss: 2, accuracy: 0.625 });
  means.add(2, 7, 0);
  expect(means.take()).toEqual({ loss: 7, accuracy: 0 });
  expect(means.take()).toEqual({ loss: Number.NaN, accuracy: Number.NaN });
});
