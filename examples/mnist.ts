/**
 * Trains a small network on handwritten digits and watches its Minimum Sharpness (MS), in the terminal and in TensorBoard.
 * Training stops by itself when MS no longer falls.
 */
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { merge } from 'rxjs';
import { earlyStopping, measureSharpness, minimumSharpness } from 'tfjs-sharpness';
import { tensorBoardWriter } from 'tfjs-sharpness/node';
import { newLogdir, runWithOptions } from './shared/command-line.js';
import { mnistDigits } from './shared/mnist-images.js';
import { measuringTime, printLastReading, printWhyItEnded, progressTable } from './shared/progress.js';

const usage = `usage: npm run example -- [options]

  --epochs N         train for at most N epochs (default 30)
  --samples N        train on N of the 4000 images (default 4000)
  --learning-rate R  of stochastic gradient descent (default 0.3)
  --weight-decay L   L2 penalty on the kernels (default 0.001)
  --patience N       stop when MS has not fallen by 0.5 in N epochs (default 3)
  --backend NAME     wasm or cpu (default wasm)
  --logdir FOLDER    where TensorBoard's files go (default logs/mnist-<time>)
  --help             show this text`;

const defaults = {
  epochs: 30,
  samples: 4000,
  'learning-rate': 0.3,
  'weight-decay': 0.001,
  patience: 3,
  backend: 'wasm',
  logdir: newLogdir('mnist'),
};

/** 784 - 64 - 32 - 10, always with the same initial weights. */
function network(learningRate: number, weightDecay: number): tf.Sequential {
  const layer = (units: number, activation: 'relu' | 'softmax', seed: number) => ({
    units,
    activation,
    kernelInitializer: tf.initializers.heNormal({ seed }),
    kernelRegularizer: tf.regularizers.l2({ l2: weightDecay }),
  });
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ ...layer(64, 'relu', 1), inputShape: [784] }),
      tf.layers.dense(layer(32, 'relu', 2)),
      tf.layers.dense(layer(10, 'softmax', 9)),
    ],
  });
  model.compile({ optimizer: tf.train.sgd(learningRate), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}

await runWithOptions(usage, defaults, ['wasm', 'cpu'], async (options) => {
  const { epochs, samples, patience, backend, logdir } = options;
  if (!(await tf.setBackend(backend))) {
    throw new Error(`The ${backend} backend did not start.`);
  }
  const train = mnistDigits('train', samples);
  const test = mnistDigits('test', 1000);
  const model = network(options['learning-rate'], options['weight-decay']);

  // MS of all training images, after every epoch, to a relative standard error of 2%.
  const sharpness = minimumSharpness({ data: train.images });
  // Loss and accuracy are drawn over the same steps.
  merge(sharpness.readings$, sharpness.logs$).subscribe(tensorBoardWriter(`${logdir}/all-images`));
  // For comparison, MS of the first minibatch of each epoch, with its error as an estimate of the above.
  const minibatch = minimumSharpness({ name: 'minibatchSharpness' });
  minibatch.readings$.subscribe(tensorBoardWriter(`${logdir}/minibatch`));
  // In the first epochs MS rises before it falls: they do not count. The others are compared within a tenth of the first loss, which
  // ends training sooner than the default.
  const minDelta = 0.5;
  const stopping = earlyStopping({
    monitor: 'minimumSharpness',
    minDelta,
    patience,
    startFromEpoch: 5,
    lossMargin: 0.1,
  });
  const table = progressTable({ 'MS ± error': sharpness, 'one minibatch': minibatch });
  const measuring = measuringTime(sharpness);

  console.log(`${samples} images, ${backend} backend. Watch it in TensorBoard: tensorboard --logdir ${logdir}\n`);
  await model.fit(train.images, train.labels, {
    epochs,
    batchSize: 64,
    shuffle: false, // the images come in random order; so every run is the same
    validationData: [test.images, test.labels],
    verbose: 0,
    callbacks: [sharpness, minibatch, stopping, table],
  });

  printWhyItEnded(stopping, epochs, minDelta, patience);
  if (sharpness.latest) {
    const { minimumSharpness: exact } = await measureSharpness(model, train.images);
    const { minimumSharpness: last, standardError, pairs } = sharpness.latest;
    console.log(
      `MS of the last epoch ${last.toFixed(4)} ± ${standardError.toFixed(4)} from ${pairs} pairs; ` +
        `from all ${9 * samples} pairs of image and output column ${exact.toFixed(4)}.`,
    );
  }
  printLastReading(sharpness, measuring(), logdir);
  sharpness.dispose();
  minibatch.dispose();
});
