import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { backendSpeed } from '../../src/tfjs/backend-speed.js';

it('is known of the backend that runs', () => {
  const { passMs, productsInMs, firstRun } = backendSpeed();
  expect(passMs).toBeGreaterThan(0);
  expect(productsInMs).toBeGreaterThan(0);
  expect(firstRun).toBe(2);
});

it.each(['webgpu', 'webgl', 'tensorflow', 'of somebody'].filter((name) => name !== tf.getBackend()))(
  'knows nothing from a first run on a GPU: %s',
  async (name) => {
    const before = tf.getBackend();
    const own = backendSpeed();
    tf.registerBackend(name, () =>
      Object.assign(new tf.KernelBackend(), { isUsingGpuDevice: true, memory: () => ({}), dispose: () => {} }),
    );
    try {
      await tf.setBackend(name);
      expect(backendSpeed().firstRun).toBe(Number.POSITIVE_INFINITY);
      expect(backendSpeed().productsInMs).toBeGreaterThan(own.productsInMs);
    } finally {
      await tf.setBackend(before);
      tf.removeBackend(name);
    }
  },
);
