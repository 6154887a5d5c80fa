import * as tf from '@tensorflow/tfjs-core';
import { afterEach, expect, test } from 'vitest';
import { fileBackends, startBackend } from '../../src/files/backend.js';

afterEach(() => tf.setBackend('cpu'));

test('wasm and cpu start, wasm with its own files', async () => {
  expect(fileBackends).toEqual(['tensorflow', 'wasm', 'cpu']);
  for (const name of ['wasm', 'cpu'] as const) {
    expect(await startBackend(name)).toBe(name);
    expect(tf.getBackend()).toBe(name);
    expect(tf.tidy(() => tf.sum(tf.ones([3])).dataSync()[0])).toBe(3);
  }
});
