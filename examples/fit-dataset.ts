/** Training with `fitDataset`, measuring on a dataset: no tensor holds all images. */
import * as tf from '@tensorflow/tfjs';
import { minimumSharpness } from 'tfjs-sharpness';
import { argumentsOf } from './shared/command-line.js';
import { mnistDigits } from './shared/mnist-images.js';

argumentsOf(`usage: npx tsx examples/fit-dataset.ts

Trains with fitDataset and measures Minimum Sharpness on the dataset, twice an epoch.`);

const { images, labels } = mnistDigits('train', 1000);
const dataset = tf.data
  .zip({ xs: tf.data.array(tf.unstack(images)), ys: tf.data.array(tf.unstack(labels)) })
  .batch(50) as tf.data.Dataset<{ xs: tf.Tensor; ys: tf.Tensor }>;

const kernelInitializer = (seed: number) => tf.initializers.heNormal({ seed });
const model = tf.sequential({
  layers: [
    tf.layers.dense({ units: 32, activation: 'relu', inputShape: [784], kernelInitializer: kernelInitializer(1) }),
    tf.layers.dense({ units: 10, activation: 'softmax', kernelInitializer: kernelInitializer(2) }),
  ],
});
model.compile({ optimizer: tf.train.adam(0.003), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });

// Twice an epoch, which has 20 batches.
const sharpness = minimumSharpness({ data: dataset, every: { batches: 10 } });
sharpness.readings$.subscribe(({ step, epoch, minimumSharpness, samples }) => {
  console.log(
    `epoch ${epoch! + 1}, batch ${step}: Minimum Sharpness ${minimumSharpness.toFixed(2)} of ${samples} images`,
  );
});

const { history } = await model.fitDataset(dataset, { epochs: 3, verbose: 0, callbacks: [sharpness] });
console.log(`accuracy ${(history.acc.at(-1) as number).toFixed(3)}`);
