/**
 * Trains a small network on handwritten digits and watches its Minimum Sharpness (MS), in the terminal and in TensorBoard.
 * Training stops by itself when MS no longer falls.
 */
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { earlyStopping, measureSharpness, minimumSharpness, type SharpnessReading } from 'tfjs-sharpness';
import { tensorBoardWriter } from 'tfjs-sharpness/node';
import { mnistDigits } from './mnist-images.js';

const start = performance.now();
const usage = `usage: npm run example -- [options]

  --epochs N         train for at most N epochs (default 30)
  --samples N        train on N of the 4000 images (default 4000)
  --learning-rate R  of stochastic gradient descent (default 0.3)
  --weight-decay L   L2 penalty on the kernels (default 0.001)
  --patience N       stop when MS has not fallen by 0.5 in N epochs (default 3)
  --backend NAME     wasm or cpu (default wasm)
  --logdir FOLDER    where TensorBoard's files go (default logs/mnist-<time>)
  --help             show this text`;

function options() {
  const { values } = parseArgs({
    options: {
      epochs: { type: 'string', default: '30' },
      samples: { type: 'string', default: '4000' },
      'learning-rate': { type: 'string', default: '0.3' },
      'weight-decay': { type: 'string', default: '0.001' },
      patience: { type: 'string', default: '3' },
      backend: { type: 'string', default: 'wasm' },
      logdir: { type: 'string', default: `logs/mnist-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}` },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const number = (name: 'epochs' | 'samples' | 'patience' | 'learning-rate' | 'weight-decay', isWhole: boolean) => {
    const value = Number(values[name]);
    if (isWhole ? !Number.isInteger(value) || value < 1 : !(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      const wanted = isWhole ? 'a whole number of at least 1' : 'a number of at least 0';
      throw new Error(`--${name} must be ${wanted}, but it is '${values[name]}'.`);
    }
    return value;
  };
  if (!['wasm', 'cpu'].includes(values.backend)) {
    throw new Error(`--backend must be wasm or cpu, but it is '${values.backend}'.`);
  }
  return {
    epochs: number('epochs', true),
    samples: number('samples', true),
    learningRate: number('learning-rate', false),
    weightDecay: number('weight-decay', false),
    patience: number('patience', true),
    backend: values.backend,
    logdir: values.logdir,
    help: values.help,
  };
}

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

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
const withError = (reading?: SharpnessReading) =>
  reading ? `${reading.minimumSharpness.toFixed(2)} ± ${reading.standardError.toFixed(2)}` : '-';
const columns = (...texts: string[]) => texts.map((text, i) => text.padStart([5, 9, 10, 10, 17, 17, 9][i]!)).join('');

async function run({
  epochs,
  samples,
  learningRate,
  weightDecay,
  patience,
  backend,
  logdir,
}: ReturnType<typeof options>) {
  if (!(await tf.setBackend(backend))) throw new Error(`The ${backend} backend did not start.`);
  const train = mnistDigits('train', samples);
  const test = mnistDigits('test', 1000);
  const model = network(learningRate, weightDecay);

  // MS of all training images, after every epoch: nothing is sampled, so its error is 0.
  const sharpness = minimumSharpness({ data: train.images });
  sharpness.readings$.subscribe(tensorBoardWriter(`${logdir}/all-images`));
  // For comparison, MS of the first minibatch of each epoch, with its error as an estimate of the above.
  const minibatch = minimumSharpness({ name: 'minibatchSharpness' });
  minibatch.readings$.subscribe(tensorBoardWriter(`${logdir}/minibatch`));
  let measuring = 0;
  sharpness.readings$.subscribe(({ durationMs }) => {
    measuring += durationMs;
  });
  // In the first epochs MS rises before it falls: they do not count.
  const stopping = earlyStopping({ monitor: 'minimumSharpness', minDelta: 0.5, patience, startFromEpoch: 5 });

  let epochStart = 0;
  const table = new tf.CustomCallback({
    onTrainBegin: async () => {
      console.log(columns('epoch', 'loss', 'accuracy', 'test acc', 'MS ± error', 'one minibatch', 'time'));
    },
    onEpochBegin: async () => {
      epochStart = performance.now();
    },
    onEpochEnd: async (epoch, logs) => {
      const { loss, acc, val_acc: testAccuracy } = logs as { loss: number; acc: number; val_acc: number };
      const time = seconds(performance.now() - epochStart);
      const [all, batch] = [withError(sharpness.latest), withError(minibatch.latest)];
      console.log(columns(`${epoch + 1}`, loss.toFixed(4), acc.toFixed(3), testAccuracy.toFixed(3), all, batch, time));
    },
  });

  console.log(`${samples} images, ${backend} backend. Watch it in TensorBoard: tensorboard --logdir ${logdir}\n`);
  await model.fit(train.images, train.labels, {
    epochs,
    batchSize: 64,
    shuffle: false, // the images come in random order; so every run is the same
    validationData: [test.images, test.labels],
    verbose: 0,
    callbacks: [sharpness, minibatch, stopping, table],
  });

  const last = sharpness.latest;
  console.log(
    stopping.stoppedEpoch === undefined
      ? `\nAll ${epochs} epochs done.`
      : `\nStopped after epoch ${stopping.stoppedEpoch + 1}: MS did not fall by 0.5 in ${patience} epochs.`,
  );
  if (last) {
    const { minimumSharpness: measured } = await measureSharpness(model, train.images);
    console.log(`MS of the last epoch ${last.minimumSharpness.toFixed(4)}, measured again ${measured.toFixed(4)}.`);
    console.log(`The plain Hessian trace is ${last.trace.toFixed(2)}; rescaling the layers gets it down to MS:`);
    console.log(`  ${last.scales.map(({ layer, alpha }) => `${layer} x ${alpha.toFixed(3)}`).join(', ')}`);
  }
  console.log(`${seconds(performance.now() - start)} in all, of which ${seconds(measuring)} measured all images.`);
  console.log(`Look at the curves (pip install tensorboard): tensorboard --logdir ${logdir}`);
  sharpness.dispose();
  minibatch.dispose();
}

try {
  const chosen = options();
  if (chosen.help) {
    console.log(usage);
  } else {
    await run(chosen);
  }
} catch (error) {
  console.error(`${(error as Error).message} (npm run example -- --help lists the options)`);
  process.exitCode = 1;
}
