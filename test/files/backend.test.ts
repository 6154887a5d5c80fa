import * as tf from '@tensorflow/tfjs-core';
import { afterEach, expect, test, vi } from 'vitest';
import { fileBackends, startBackend } from '../../src/files/backend.js';

afterEach(() => tf.setBackend('cpu'));

test('wasm and cpu start, wasm with its own files', async () => {
  expect(fileBackends).toEqual(['tensorflow', 'wasm', 'cpu']);
  const warn = vi.spyOn(console, 'warn');
  for (const name of ['wasm', 'cpu'] as const) {
    expect(await startBackend(name)).toBe(name);
    expect(tf.getBackend()).toBe(name);
    expect(tf.tidy(() => tf.sum(tf.ones([3])).dataSync()[0])).toBe(3);
  }
  // tf.js' advertisement of the native backend.
  expect(warn).not.toHaveBeenCalled();
});
