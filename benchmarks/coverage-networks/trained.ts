import * as tf from '@tensorflow/tfjs';
import { mnistDigits } from '../../examples/shared/mnist-images.js';
import { network } from '../networks.js';
import { setWeights, trainedWeights } from '../trained-network.js';
import type { BuiltNetwork, CoverageNetwork } from './network.js';
import { setRandomWeights } from './rare-units.js';

const { dense, flatten } = tf.layers;
const IMAGES = 1000;
const BATCH = 50;
const stages = [1, 8, 30];
const inputShape = [28, 28];

type Loss = 'categoricalCrossentropy' | 'binaryCrossentropy' | 'meanSquaredError';

const after = (epochs: number) => `after ${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}`;

/** The first digits: images [N, 28, 28]. */
function digits(): { images: tf.Tensor; labels: tf.Tensor2D } {
  const { images, labels } = mnistDigits('train', IMAGES);
  return { images: images.reshape([-1, ...inputShape]), labels };
}

/** A network of the benchmarks, with weights that were trained for this once. */
async function ofPaper(name: 'SmallCNN' | 'LeNet', epochs: number): Promise<BuiltNetwork> {
  const model = await network(name);
  setWeights(model, (await trainedWeights(name, IMAGES, stages)).get(epochs)!);
  const { images } = digits();
  return { model, inputs: images.expandDims(-1), options: {} };
}

/** Trains a stack of layers on the digits. */
async function train(
  layers: readonly tf.layers.Layer[],
  loss: Loss,
  labelsOf: (labels: tf.Tensor2D) => tf.Tensor,
  epochs: number,
  seed: number,
): Promise<BuiltNetwork> {
  const model = tf.sequential({ layers: [...layers] });
  setRandomWeights(model, seed);
  model.compile({ optimizer: tf.train.adam(0.002), loss });
  const { images, labels } = digits();
  await model.fit(
    images,
    tf.tidy(() => labelsOf(labels)),
    { epochs, batchSize: BATCH, shuffle: false, verbose: 0 },
  );
  return { model, inputs: images, options: {} };
}

interface Training {
  readonly name: string;
  readonly layers: () => tf.layers.Layer[];
  readonly loss: Loss;
  readonly labels?: (labels: tf.Tensor2D) => tf.Tensor;
}

const first = () => flatten({ inputShape });
const relu = (units: number) => dense({ units, activation: 'relu' });

/** Which strokes a digit has: several of ten properties hold at once. */
const properties = (labels: tf.Tensor2D) =>
  tf.matMul(
    labels,
    tf.tensor2d(
      Array.from({ length: 100 }, (_, i) => (Math.floor(i / 10) * (1 + (i % 10)) + (i % 3)) % 2),
      [10, 10],
    ),
  );

/** The digit as a number, and how thick it is. */
const numbers = (labels: tf.Tensor2D) => tf.matMul(labels, tf.range(0, 10).div(5).sub(1).reshape([10, 1]));

const trainings: readonly Training[] = [
  {
    name: 'logistic regression',
    layers: () => [first(), dense({ units: 10, activation: 'softmax' })],
    loss: 'categoricalCrossentropy',
  },
  {
    name: 'dense 64-32, softmax',
    layers: () => [first(), relu(64), relu(32), dense({ units: 10, activation: 'softmax' })],
    loss: 'categoricalCrossentropy',
  },
  {
    name: 'dense 64-32-32-32, softmax',
    layers: () => [first(), relu(64), relu(32), relu(32), relu(32), dense({ units: 10, activation: 'softmax' })],
    loss: 'categoricalCrossentropy',
  },
  {
    name: 'dense 64-32 (tanh), softmax',
    layers: () => [
      first(),
      dense({ units: 64, activation: 'tanh' }),
      dense({ units: 32, activation: 'tanh' }),
      dense({ units: 10, activation: 'softmax' }),
    ],
    loss: 'categoricalCrossentropy',
  },
  {
    name: 'dense 64-32, sigmoid of several labels',
    layers: () => [first(), relu(64), relu(32), dense({ units: 10, activation: 'sigmoid' })],
    loss: 'binaryCrossentropy',
    labels: properties,
  },
  {
    name: 'dense 64-32, squared error of 10 numbers',
    layers: () => [first(), relu(64), relu(32), dense({ units: 10 })],
    loss: 'meanSquaredError',
  },
  {
    name: 'dense 64-32, squared error of one number',
    layers: () => [first(), relu(64), relu(32), dense({ units: 1 })],
    loss: 'meanSquaredError',
    labels: numbers,
  },
  {
    name: 'dense 64-32 with batch normalization, softmax',
    layers: () => [
      first(),
      dense({ units: 64 }),
      tf.layers.batchNormalization({}),
      tf.layers.reLU(),
      relu(32),
      dense({ units: 10, activation: 'softmax' }),
    ],
    loss: 'categoricalCrossentropy',
  },
  {
    name: 'GRU over the rows, softmax',
    layers: () => [
      tf.layers.averagePooling1d({ poolSize: 2, inputShape }),
      tf.layers.gru({ units: 16, recurrentInitializer: 'glorotUniform' }),
      dense({ units: 10, activation: 'softmax' }),
    ],
    loss: 'categoricalCrossentropy',
  },
];

/** On 1,000 digits, at several stages of training. */
export const trainedNetworks: readonly CoverageNetwork[] = [
  ...trainings.flatMap(({ name, layers, loss, labels = (y) => y }) =>
    stages.map((epochs) => ({
      name: `${name}, ${after(epochs)}`,
      build: (seed: number) => train(layers(), loss, labels, epochs, seed),
    })),
  ),
  ...(['SmallCNN', 'LeNet'] as const).flatMap((name) =>
    stages.map((epochs) => ({ name: `${name}, softmax, ${after(epochs)}`, build: () => ofPaper(name, epochs) })),
  ),
];
