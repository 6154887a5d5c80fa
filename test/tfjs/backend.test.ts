import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { backendName, isNative, isSynchronous } from '../../src/tfjs/backend.js';

it('is native where tfjs-node computes, and nowhere else', () => {
  expect(isNative()).toBe(tf.backend().constructor.name === 'NodeJSKernelBackend');
});

it('tells backends apart', async () => {
  const before = backendName();
  tf.registerBackend('another', () => Object.assign(new tf.KernelBackend(), { dispose: () => {} }));
  try {
    await tf.setBackend('another');
    expect(backendName()).not.toBe(before);
    expect(isNative()).toBe(false);
  } finally {
    await tf.setBackend(before);
    tf.removeBackend('another');
  }
  expect(backendName()).toBe(before);
});

it('knows where operations are over when their calls return: not on a GPU', async () => {
  expect(isSynchronous()).toBe(true);
  const before = backendName();
  tf.registerBackend('another', () => Object.assign(new tf.KernelBackend(), { dispose: () => {} }));
  try {
    await tf.setBackend('another');
    expect(isSynchronous()).toBe(false);
  } finally {
    await tf.setBackend(before);
    tf.removeBackend('another');
  }
});
