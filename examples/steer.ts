/**
 * Closes the loop: the learning rate grows from a small one until Minimum Sharpness (MS) has become stable, or it is 0.2, and the weight
 * decay rises whenever MS trends up. Both are drawn in TensorBoard beside MS.
 */
import * as tf from '@tensorflow/tfjs';
import { merge } from 'rxjs';
import { minimumSharpness } from 'tfjs-sharpness';
import { learningRateOf, raiseWhenRising, steer, warmUp, weightDecayOf } from 'tfjs-sharpness/control';
import { tensorBoardWriter } from 'tfjs-sharpness/node';
import { withEpochLogs } from 'tfjs-sharpness/streams';
import { argumentsOf, newLogdir } from './shared/command-line.js';
import { mnistDigits } from './shared/mnist-images.js';

const [logdir = newLogdir('steer')] = argumentsOf(`usage: npx tsx examples/steer.ts [folder for TensorBoard]

Trains a small network on digits; Minimum Sharpness sets the learning rate and the weight decay.`);
const { images, labels } = mnistDigits('train', 500);
const decay = tf.regularizers.l2({ l2: 1e-4 }); // one for all layers
const kernel = (seed: number) => ({
  kernelInitializer: tf.initializers.heNormal({ seed }),
  kernelRegularizer: decay,
});
const model = tf.sequential({
  layers: [
    tf.layers.dense({ units: 32, activation: 'relu', inputShape: [784], ...kernel(1) }),
    tf.layers.dense({ units: 10, activation: 'softmax', ...kernel(2) }),
  ],
});
model.compile({ optimizer: tf.train.sgd(0.01), loss: 'categoricalCrossentropy' });

const sharpness = minimumSharpness({ data: images, every: { batches: 10 } });
const warming = steer(sharpness.readings$, warmUp({ max: 0.2, factor: 1.4, tolerance: 0.2 }), learningRateOf(model));
const decaying = steer(sharpness.readings$, raiseWhenRising({ max: 0.01, window: 5 }), weightDecayOf(decay));

merge(sharpness.readings$, warming.values$, decaying.values$).subscribe(tensorBoardWriter(logdir));
sharpness.readings$.pipe(withEpochLogs(sharpness.logs$)).subscribe(({ step, minimumSharpness, logs }) => {
  console.log(`batch ${step}: MS ${minimumSharpness.toFixed(2)}, loss of the epoch ${logs.loss.toFixed(3)}`);
});
for (const steering of [warming, decaying]) {
  steering.changes$.subscribe(({ step, name, previous, value }) => {
    console.log(`batch ${step}: ${name} ${previous.toPrecision(2)} -> ${value.toPrecision(2)}`);
  });
}

await model.fit(images, labels, { epochs: 10, batchSize: 25, shuffle: false, verbose: 0, callbacks: [sharpness] });
sharpness.dispose();
console.log(`Look at the curves (pip install tensorboard): tensorboard --logdir ${logdir}`);
