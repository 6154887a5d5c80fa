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
 * Whether a GPU computes: all backends but plain JavaScript, wasm and TensorFlow on a processor. It works on behind the calls, has
 * memory of its own and no caches that a large batch would leave, so that limits made for a processor do not hold there.
 */
export function isGpu(): boolean {
  const { isUsingGpuDevice = false } = tf.backend() as { readonly isUsingGpuDevice?: boolean };
  return isUsingGpuDevice || !['cpu', 'wasm', 'tensorflow'].includes(backendName());
}

/** Whether an operation is over when its call returns, so that the time of the call is what it takes and what the event loop waits. */
export function isSynchronous(): boolean {
  return !isGpu();
}
