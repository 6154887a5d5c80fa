import * as tf from '@tensorflow/tfjs-core';

/** Follows the highest number of tensor bytes above what was there before. */
export interface MemoryGauge {
  readonly before: number;
  peak: number;
}

export function memoryGauge(): MemoryGauge {
  return { before: tf.memory().numBytes, peak: 0 };
}

/** `tf.tidy`, with a reading of the gauge while all that the scope has made is still there. */
export function gaugedTidy<T extends tf.TensorContainer>(gauge: MemoryGauge, scope: () => T): T {
  return tf.tidy(() => {
    const result = scope();
    gauge.peak = Math.max(gauge.peak, tf.memory().numBytes - gauge.before);
    return result;
  });
}
