/** A training loop of one's own: `optimizer.minimize` on shuffled minibatches, with a learning rate that falls. */
import * as tf from '@tensorflow/tfjs';
import { sharpnessMonitor } from 'tfjs-sharpness';
import { digitNetwork } from './shared/digit-network.js';
import { mnistDigits } from './shared/mnist-images.js';

const EPOCHS = 4;
const BATCH = 50;

const { images, labels } = mnistDigits('train', 500);
const model = digitNetwork(1);
const optimizer = tf.train.sgd(0.2);

// Nothing is compiled, so that the monitor is told the loss.
const monitor = sharpnessMonitor(model, { data: images, loss: 'categoricalCrossentropy' });
monitor.logs$.subscribe(({ epoch, logs }) => {
  const { loss, minimumSharpness } = logs as { loss: number; minimumSharpness: number };
  console.log(`epoch ${epoch + 1}: loss ${loss.toFixed(3)}, Minimum Sharpness ${minimumSharpness.toFixed(2)}`);
});

for (let epoch = 0; epoch < EPOCHS; epoch++) {
  const order = [...tf.util.createShuffledIndices(images.shape[0])];
  for (let start = 0; start < order.length; start += BATCH) {
    const indices = tf.tensor1d(order.slice(start, start + BATCH), 'int32');
    const loss = optimizer.minimize(() => {
      const [x, y] = [tf.gather(images, indices), tf.gather(labels, indices)];
      const predicted = model.apply(x, { training: true }) as tf.Tensor;
      return tf.metrics.categoricalCrossentropy(y, predicted).mean() as tf.Scalar;
    }, true);
    await monitor.batchEnd({ loss: loss! });
    tf.dispose([indices, loss!]);
  }
  await monitor.epochEnd();
  optimizer.setLearningRate(0.2 / (epoch + 2));
}
monitor.dispose();
