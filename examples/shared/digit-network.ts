import * as tf from '@tensorflow/tfjs';

/** 784 - 64 - 32 - 10, the same for the same seed. */
export function digitNetwork(seed: number): tf.Sequential {
  const layer = (units: number, activation: 'relu' | 'softmax', i: number) => ({
    units,
    activation,
    kernelInitializer: tf.initializers.heNormal({ seed: 10 * seed + i }),
  });
  return tf.sequential({
    layers: [
      tf.layers.dense({ ...layer(64, 'relu', 1), inputShape: [784] }),
      tf.layers.dense(layer(32, 'relu', 2)),
      tf.layers.dense(layer(10, 'softmax', 3)),
    ],
  });
}
