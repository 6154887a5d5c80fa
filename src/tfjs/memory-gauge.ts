import * as tf from '@tensorflow/tfjs-core';

/** Follows the highest number of tensor bytes above what was there before. */
export interface MemoryGauge {
  readonly before: number;
  peak: number;
}

export function memoryGauge(): MemoryGauge {
  return { before: tf.memory().numBytes, peak: 0 };
}

/**
 * `tf.tidy`, with the gauge on. It sees every tensor as it comes to be, also those that are gone when the scope ends: tf.js'
 * gradients and layers tidy up on their own, and what they held meanwhile can be several times what they leave.
 */
export function gaugedTidy<T extends tf.TensorContainer>(gauge: MemoryGauge, scope: () => T): T {
  const engine = tf.engine();
  const { trackTensor } = engine;
  engine.trackTensor = (...args) => {
    trackTensor.apply(engine, args);
    gauge.peak = Math.max(gauge.peak, tf.memory().numBytes - gauge.before);
  };
  try {
    return tf.tidy(scope);
  } finally {
    engine.trackTensor = trackTensor;
  }
}

/** The same for tensors by number. */
export function gaugedTensors(gauge: MemoryGauge, scope: () => Map<number, tf.Tensor>): Map<number, tf.Tensor> {
  const keys: number[] = [];
  const tensors = gaugedTidy(gauge, () => {
    const found = scope();
    keys.push(...found.keys());
    return [...found.values()];
  });
  return new Map(tensors.map((tensor, i) => [keys[i], tensor]));
}
