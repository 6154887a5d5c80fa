import * as tf from '@tensorflow/tfjs';

/** What the pages take for granted: a compiled model that can learn its data, and the data, under the names that they use. */
export function startingPoint() {
  const layer = (units: number, activation: 'relu' | 'softmax', seed: number) =>
    tf.layers.dense({ units, activation, inputShape: [4], kernelInitializer: tf.initializers.heNormal({ seed }) });
  const model = tf.sequential({ layers: [layer(8, 'relu', 1), layer(3, 'softmax', 2)] });
  model.compile({ optimizer: tf.train.adam(0.05), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  /** The class is the largest of the first three inputs. */
  const labels = (x: tf.Tensor2D) => tf.oneHot(tf.argMax(tf.slice(x, [0, 0], [-1, 3]), 1) as tf.Tensor1D, 3);
  const xTrain = tf.randomNormal([60, 4], 0, 1, 'float32', 3) as tf.Tensor2D;
  const xValidation = tf.randomNormal([30, 4], 0, 1, 'float32', 4) as tf.Tensor2D;
  return { model, xTrain, yTrain: labels(xTrain), xValidation, yValidation: labels(xValidation) };
}
