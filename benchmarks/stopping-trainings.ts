import * as tf from '@tensorflow/tfjs';
import { minimumSharpness } from 'tfjs-sharpness';
import { mnistDigits } from '../examples/shared/mnist-images.js';
import { generator } from './random-numbers.js';

/** What one training is: a point of the grid. */
export interface Setting {
  readonly network: string;
  readonly optimizer: string;
  readonly rate: number;
  /** Share of the labels that are drawn anew, of the training and of the validation set. */
  readonly noise: number;
  readonly seed: number;
}

/** What was seen in each epoch, one entry an epoch; null where it is no finite number. */
export interface Curves {
  /** Minimum Sharpness of the training set at the end of the epoch, to 2%, its standard error, and the plain trace. */
  readonly sharpness: readonly (number | null)[];
  readonly error: readonly (number | null)[];
  readonly trace: readonly (number | null)[];
  /** Training loss and accuracy, means over the epoch's batches; and the loss of its first batch. */
  readonly loss: readonly (number | null)[];
  readonly accuracy: readonly (number | null)[];
  readonly firstLoss: readonly (number | null)[];
  readonly validationLoss: readonly (number | null)[];
  readonly validationAccuracy: readonly (number | null)[];
  /** Of digits with right labels. */
  readonly testAccuracy: readonly (number | null)[];
}

export type Training = Setting & Curves;

/** Every setting with a name of its own. */
export const keyOf = ({ network, optimizer, rate, noise, seed }: Setting) =>
  [network, optimizer, rate, noise, seed].join(' ');

const layer = (units: number, activation: 'relu' | 'softmax', seed: number) => ({
  units,
  activation,
  kernelInitializer: tf.initializers.heNormal({ seed }),
});
const convolution = (filters: number, seed: number) => ({
  filters,
  kernelSize: 3,
  strides: 2,
  activation: 'relu' as const,
  kernelInitializer: tf.initializers.heNormal({ seed }),
});

/** The networks, by their names: of images [28, 28, 1], always the same for a seed. */
export const networks: Readonly<Record<string, (seed: number) => tf.Sequential>> = {
  '784-32-10': (seed) =>
    tf.sequential({
      layers: [
        tf.layers.flatten({ inputShape: [28, 28, 1] }),
        tf.layers.dense(layer(32, 'relu', 10 * seed)),
        tf.layers.dense(layer(10, 'softmax', 10 * seed + 1)),
      ],
    }),
  '784-64-64-64-10': (seed) =>
    tf.sequential({
      layers: [
        tf.layers.flatten({ inputShape: [28, 28, 1] }),
        ...[0, 1, 2].map((i) => tf.layers.dense(layer(64, 'relu', 10 * seed + i))),
        tf.layers.dense(layer(10, 'softmax', 10 * seed + 3)),
      ],
    }),
  convolutional: (seed) =>
    tf.sequential({
      layers: [
        tf.layers.conv2d({ ...convolution(8, 10 * seed), inputShape: [28, 28, 1] }),
        tf.layers.conv2d(convolution(16, 10 * seed + 1)),
        tf.layers.flatten(),
        tf.layers.dense(layer(10, 'softmax', 10 * seed + 2)),
      ],
    }),
};

const optimizers: Readonly<Record<string, (rate: number) => tf.Optimizer>> = {
  sgd: (rate) => tf.train.sgd(rate),
  adam: (rate) => tf.train.adam(rate),
};

/** Learning rates of each optimizer, from one that is too small for the epochs to one that breaks some networks. */
export const rates: Readonly<Record<string, readonly number[]>> = {
  sgd: [0.01, 0.05, 0.2, 1],
  adam: [0.0001, 0.001, 0.01, 0.1],
};

/** The grid, all of a seed before the next: so any beginning of it covers every network and rate. */
export function settings(seeds: number): Setting[] {
  const all: Setting[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    for (const network of Object.keys(networks)) {
      for (const optimizer of Object.keys(optimizers)) {
        for (const rate of rates[optimizer]!) {
          for (const noise of [0, 0.4]) {
            all.push({ network, optimizer, rate, noise, seed });
          }
        }
      }
    }
  }
  return all;
}

/** One-hot labels, of which a share is drawn anew among all ten. */
function withNoise(labels: tf.Tensor2D, noise: number, seed: number): tf.Tensor2D {
  const random = generator(seed);
  return tf.tidy(() => {
    const digits = labels.argMax(1).dataSync();
    const noisy = Int32Array.from(digits, (digit) => (random() < noise ? Math.floor(10 * random()) : digit));
    return tf.oneHot(tf.tensor1d(noisy, 'int32'), 10).toFloat() as tf.Tensor2D;
  });
}

const SAMPLES = 1000;
const VALIDATION = 500;
const TEST = 1000;
export const BATCH = 50;
export const EPOCHS = 30;

/** How the trainings are made, for a report. */
export const howTrained =
  `${SAMPLES} MNIST digits to train on, ${VALIDATION} for the validation loss, ${TEST} with right labels for the test accuracy; ` +
  `batches of ${BATCH}, ${EPOCHS} epochs, cross-entropy.`;

/** Runs one training and notes its course. It is the same each time. */
export async function train(setting: Setting): Promise<Training> {
  const { network, optimizer, rate, noise, seed } = setting;
  const { images, labels } = mnistDigits('train', SAMPLES + VALIDATION);
  const test = mnistDigits('test', TEST);
  const noisy = withNoise(labels, noise, seed);
  const pixels = images.reshape([-1, 28, 28, 1]);
  const testPixels = test.images.reshape([-1, 28, 28, 1]);
  const [trainX, validationX] = tf.split(pixels, [SAMPLES, VALIDATION]) as [tf.Tensor, tf.Tensor];
  const [trainY, validationY] = tf.split(noisy, [SAMPLES, VALIDATION]) as [tf.Tensor, tf.Tensor];

  const model = networks[network]!(seed);
  model.compile({
    optimizer: optimizers[optimizer]!(rate),
    loss: 'categoricalCrossentropy',
    metrics: ['accuracy'],
  });
  const sharpness = minimumSharpness({ data: trainX, seed });
  const curves: { [Name in keyof Curves]: (number | null)[] } = {
    sharpness: [],
    error: [],
    trace: [],
    loss: [],
    accuracy: [],
    firstLoss: [],
    validationLoss: [],
    validationAccuracy: [],
    testAccuracy: [],
  };
  const answers = tf.tidy(() => test.labels.argMax(1));
  const note = (name: keyof Curves, value: number | undefined) => {
    curves[name].push(Number.isFinite(value) ? Number((value as number).toPrecision(5)) : null);
  };
  const noting = new tf.CustomCallback({
    onBatchEnd: async (batch, logs) => {
      if (batch === 0) {
        note('firstLoss', await numberIn(logs?.loss));
      }
    },
    onEpochEnd: async (epoch, logs) => {
      const { latest } = sharpness;
      const reading = latest?.epoch === epoch ? latest : undefined;
      note('sharpness', reading?.minimumSharpness);
      note('error', reading?.standardError);
      note('trace', reading?.trace);
      note('loss', await numberIn(logs?.loss));
      note('accuracy', await numberIn(logs?.acc));
      note('validationLoss', await numberIn(logs?.val_loss));
      note('validationAccuracy', await numberIn(logs?.val_acc));
      const right = tf.tidy(() =>
        (model.predict(testPixels, { batchSize: TEST }) as tf.Tensor).argMax(1).equal(answers).mean(),
      );
      note('testAccuracy', await numberIn(right));
      right.dispose();
    },
  });
  await model.fit(trainX, trainY, {
    epochs: EPOCHS,
    batchSize: BATCH,
    shuffle: false, // the images come in random order; so every run is the same
    validationData: [validationX, validationY],
    verbose: 0,
    callbacks: [sharpness, noting],
  });
  sharpness.dispose();
  model.optimizer.dispose();
  model.dispose();
  tf.dispose([images, labels, noisy, pixels, testPixels, trainX, validationX, trainY, validationY, answers]);
  tf.dispose([test.images, test.labels]);
  return { ...setting, ...curves };
}

async function numberIn(logged: unknown): Promise<number | undefined> {
  return logged instanceof tf.Tensor ? (await logged.data())[0] : (logged as number | undefined);
}
