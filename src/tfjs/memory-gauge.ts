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

/**
 * How many fit the budget, if `count` of them peaked at `peak` bytes: no tensor grows faster than in proportion to their
 * number. At least 1.
 *
 * @throws RangeError with one line if `count` is the smallest part there is and even that does not fit.
 */
export function fitting(budgetBytes: number, count: number, peak: number, smallest: boolean): number {
  const fit = Math.floor((budgetBytes * count) / peak);
  if (fit < 1 && smallest) {
    throw new RangeError(
      `memoryMB: ${budgetBytes / 2 ** 20} is too small: one sample of this model needs ` +
        `${Math.ceil(peak / 2 ** 20)} MB. Raise memoryMB.`,
    );
  }
  return Math.max(1, fit);
}
