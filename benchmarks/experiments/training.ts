import * as tf from '@tensorflow/tfjs';
import { measureSharpness } from 'tfjs-sharpness';
import { mnistDigits } from '../../examples/shared/mnist-images.js';
import { generator, permutation } from '../random-numbers.js';
import { type Weights, weightsOf } from '../trained-network.js';
import { MOMENTUM, type Setting, snapshotEpochs, TEST_IMAGES, WEIGHT_DECAY } from './grid.js';
import { network } from './networks.js';
import { shuffledLabels } from './shuffled-labels.js';

/**
 * A network after some epochs. Losses are mean cross-entropies, without the penalties of weight decay, from probabilities that tf.js
 * clips: a sample costs 16.1 at most.
 */
export interface Snapshot {
  readonly epoch: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly testLoss: number;
  readonly testAccuracy: number;
  /** Exact, of all training images. */
  readonly minimumSharpness: number;
  readonly trace: number;
}

/** One line of the results. */
export interface Training extends Setting {
  readonly snapshots: readonly Snapshot[];
}

/** Images [N, 28, 28, 1] from -1 to 1, one-hot labels [N, 10]. */
export interface Samples {
  readonly images: tf.Tensor4D;
  readonly labels: tf.Tensor2D;
}

/** The seed of all that is random in a network: its weights, its labels, and the order of its images. */
const seedOf = ({ ratio, seed }: Setting) => 1000 * seed + Math.round(100 * ratio);

function digits(split: 'train' | 'test', count: number): Samples {
  return tf.tidy(() => {
    const { images, labels } = mnistDigits(split, count);
    return { images: images.mul(2).sub(1).reshape([count, 28, 28, 1]) as tf.Tensor4D, labels };
  });
}

/** What a network is trained on: the same for the same setting. */
export function trainingSamples(setting: Setting): Samples {
  return tf.tidy(() => {
    const { images, labels } = digits('train', setting.images);
    const source = shuffledLabels(setting.images, setting.ratio, seedOf(setting));
    return { images, labels: labels.gather(tf.tensor1d(source, 'int32')) as tf.Tensor2D };
  });
}

/** With right labels. */
export const testSamples = (): Samples => digits('test', TEST_IMAGES);

/** The network of a setting before it is trained, compiled. */
export function compiledNetwork(setting: Setting, optimizer: tf.Optimizer): tf.Sequential {
  const model = network(setting.architecture, WEIGHT_DECAY, seedOf(setting));
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  return model;
}

/** Mean cross-entropy and accuracy, in batches of 1,000 images. */
export function evaluate(model: tf.LayersModel, { images, labels }: Samples): { loss: number; accuracy: number } {
  return tf.tidy(() => {
    const outputs = model.predict(images, { batchSize: 1000 }) as tf.Tensor2D;
    const loss = tf.metrics.categoricalCrossentropy(labels, outputs).mean();
    const accuracy = tf.metrics.categoricalAccuracy(labels, outputs).mean();
    return { loss: loss.dataSync()[0]!, accuracy: accuracy.dataSync()[0]! };
  });
}

/** As it stands in the lines: seven digits, which is what float32 has. */
const rounded = <T extends Readonly<Record<string, number>>>(values: T): T =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value.toPrecision(7))])) as T;

/**
 * Trains one network, which comes out the same each time on one backend: its line, with every snapshot that was taken on the way.
 *
 * @param keep gets the weights of every snapshot.
 */
export async function train(
  setting: Setting,
  keep: (epoch: number, weights: Weights) => void = () => {},
): Promise<Training> {
  const { images: count, batch, epochs, rate, fall } = setting;
  const steps = epochs * Math.ceil(count / batch);
  const samples = trainingSamples(setting);
  const test = testSamples();
  const optimizer = tf.train.momentum(rate, MOMENTUM);
  const model = compiledNetwork(setting, optimizer);
  const random = generator(seedOf(setting) + 500);
  const snapshots: Snapshot[] = [];
  const look = async (epoch: number) => {
    const { minimumSharpness, trace } = await measureSharpness(model, samples.images, { labels: samples.labels });
    const { loss, accuracy } = evaluate(model, samples);
    const { loss: testLoss, accuracy: testAccuracy } = evaluate(model, test);
    snapshots.push({ epoch, ...rounded({ loss, accuracy, testLoss, testAccuracy, minimumSharpness, trace }) });
    keep(epoch, weightsOf(model));
  };

  const looked = snapshotEpochs(epochs);
  let step = 0;
  const falling = new tf.CustomCallback({
    onBatchBegin: async () => optimizer.setLearningRate(rate / (1 + ((fall - 1) * step++) / steps)),
  });
  await look(0);
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const [x, y] = tf.tidy(() => {
      const order = tf.tensor1d(permutation(count, random), 'int32');
      return [samples.images.gather(order), samples.labels.gather(order)] as const;
    });
    await model.fit(x, y, { batchSize: batch, shuffle: false, verbose: 0, yieldEvery: 'never', callbacks: [falling] });
    tf.dispose([x, y]);
    if (looked.includes(epoch)) {
      await look(epoch);
    }
  }
  tf.dispose([samples.images, samples.labels, test.images, test.labels]);
  optimizer.dispose();
  model.dispose();
  return { ...setting, snapshots };
}
