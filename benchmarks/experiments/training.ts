import * as tf from '@tensorflow/tfjs';
import { measureSharpness } from 'tfjs-sharpness';
import { mnistDigits } from '../../examples/shared/mnist-images.js';
import { generator, permutation } from '../random-numbers.js';
import { type Weights, weightsOf } from '../trained-network.js';
import { MOMENTUM, type Setting, snapshotEpochs, TEST_IMAGES, WEIGHT_DECAY } from './grid.js';
import type { Measure } from './measures.js';
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

/** Images [N, height, width, 1], one-hot labels [N, 10]. */
export interface Samples {
  readonly images: tf.Tensor4D;
  readonly labels: tf.Tensor2D;
}

/** The seed of all that is random in a network: its weights, its labels, and the order of its images. */
const seedOf = ({ ratio, seed }: Setting) => 1000 * seed + Math.round(100 * ratio);

/** The same samples with the labels of others. @param source whose. */
export const relabelled = (labels: tf.Tensor2D, source: Int32Array) =>
  tf.tidy(() => labels.gather(tf.tensor1d(source, 'int32')) as tf.Tensor2D);

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
    return { images, labels: relabelled(labels, source) };
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
export const rounded = <T extends Readonly<Record<string, number>>>(values: T): T =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value.toPrecision(7))])) as T;

/** How a network is trained, whatever is varied. */
export interface Course {
  readonly model: tf.LayersModel;
  readonly samples: Samples;
  readonly test: Samples;
  readonly batch: number;
  readonly epochs: number;
  /** Of the order of the images. */
  readonly seed: number;
  /** Before each step, which count from 0. */
  readonly beforeStep?: (step: number) => void;
  /** What is measured of a network, besides losses and accuracies. */
  readonly measure: Measure;
  /** Gets the weights of every snapshot. */
  readonly keep?: (epoch: number, weights: Weights) => void;
}

/** MS and trace, exact, of all training images. */
export const sharpness: Measure = async (model, { images, labels }) => {
  const { minimumSharpness, trace } = await measureSharpness(model, images, { labels });
  return { minimumSharpness, trace };
};

/**
 * Trains, and looks at the network on the way. Where a weight is no finite number any more, training has diverged and ends without a
 * snapshot of it. (Not every backend's loss would say so: clipped, NaN may come out as a number.)
 */
export async function snapshotsOf(course: Course): Promise<Snapshot[]> {
  const { model, samples, test, batch, epochs, seed, beforeStep, measure, keep } = course;
  const random = generator(seed);
  const snapshots: Snapshot[] = [];
  const look = async (epoch: number) => {
    const weights = weightsOf(model);
    if (!weights.every(Number.isFinite)) {
      return false;
    }
    const { loss, accuracy } = evaluate(model, samples);
    const { loss: testLoss, accuracy: testAccuracy } = evaluate(model, test);
    const measured = await measure(model, samples);
    snapshots.push({ epoch, ...rounded({ loss, accuracy, testLoss, testAccuracy, ...measured }) } as Snapshot);
    keep?.(epoch, weights);
    return true;
  };

  const looked = snapshotEpochs(epochs);
  let step = 0;
  const stepping = new tf.CustomCallback({ onBatchBegin: async () => beforeStep?.(step++) });
  await look(0);
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const [x, y] = tf.tidy(() => {
      const order = tf.tensor1d(permutation(samples.images.shape[0], random), 'int32');
      return [samples.images.gather(order), samples.labels.gather(order)] as const;
    });
    await model.fit(x, y, { batchSize: batch, shuffle: false, verbose: 0, yieldEvery: 'never', callbacks: [stepping] });
    tf.dispose([x, y]);
    if (looked.includes(epoch) && !(await look(epoch))) {
      break;
    }
  }
  return snapshots;
}

/**
 * Trains one network, which comes out the same each time on one backend: its line, with every snapshot that was taken on the way.
 *
 * @param keep gets the weights of every snapshot.
 */
export async function train(setting: Setting, keep?: Course['keep']): Promise<Training> {
  const { images: count, batch, epochs, rate, fall } = setting;
  const steps = epochs * Math.ceil(count / batch);
  const samples = trainingSamples(setting);
  const test = testSamples();
  const optimizer = tf.train.momentum(rate, MOMENTUM);
  const model = compiledNetwork(setting, optimizer);
  const snapshots = await snapshotsOf({
    model,
    samples,
    test,
    batch,
    epochs,
    seed: seedOf(setting) + 500,
    beforeStep: (step) => optimizer.setLearningRate(rate / (1 + ((fall - 1) * step) / steps)),
    measure: sharpness,
    keep,
  });
  tf.dispose([samples.images, samples.labels, test.images, test.labels]);
  optimizer.dispose();
  model.dispose();
  return { ...setting, snapshots };
}
