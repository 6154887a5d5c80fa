import { expect, it } from 'vitest';
import { BatchMeans, RecentLoss } from '../../../src/training/stopping/batch-means.js';

it('weights batches by their samples, and begins anew once taken', () => {
  const means = new BatchMeans();
  means.add(3, 1, 0.5);
  means.add(1, 5, 1);
  expect(means.take()).toEqual({ loss: 2, accuracy: 0.625 });
  means.add(2, 7, 0);
  expect(means.take()).toEqual({ loss: 7, accuracy: 0 });
  expect(means.take()).toEqual({ loss: Number.NaN, accuracy: Number.NaN });
});

it('the recent loss has the memory of an epoch', () => {
  const recent = new RecentLoss();
  expect(recent.mean).toBeUndefined();
  for (const loss of [4, 2, 3, 3]) {
    recent.add(loss);
  }
  expect(recent.mean).toBe(3); // the plain mean in the first epoch
  recent.endEpoch();
  recent.add(7);
  expect(recent.mean).toBe(4); // of four batches, this is one
  recent.add(Number.NaN);
  expect(recent.mean).toBeNaN();
  recent.endEpoch();
  recent.add(5);
  expect(recent.mean).toBe(5);
});
