import * as tf from '@tensorflow/tfjs-core';

/**
 * Whether tf.js runs on TensorFlow's C library, as tfjs-node and tfjs-node-gpu do, which both call their backend 'tensorflow'.
 * What is different there: it has the memory of the machine rather than that of a browser tab, no page to keep alive, and large
 * batches are worth more, since each operation costs 20 to 36 microseconds whatever its size.
 */
export function isNative(): boolean {
  return backendName() === 'tensorflow';
}

/** The backend that runs now. What was tried out on one says nothing of another. */
export function backendName(): string {
  return tf.getBackend();
}

/**
 * Whether an operation is over when its call returns, so that the time of the call is what it takes and what the event loop waits.
 * A GPU works on behind.
 */
export function isSynchronous(): boolean {
  const { isUsingGpuDevice = false } = tf.backend() as { readonly isUsingGpuDevice?: boolean };
  return ['cpu', 'wasm', 'tensorflow'].includes(backendName()) && !isUsingGpuDevice;
}
