import * as tf from '@tensorflow/tfjs';
import { measureSharpness } from 'tfjs-sharpness';
import { asam, sam, sharpnessPenalty } from 'tfjs-sharpness/optimizers';
import { type Digits, mnistDigits, smallDigits } from '../../examples/shared/mnist-images.js';
import { MOMENTUM } from './grid.js';
import type { Measure } from './measures.js';
import { mlp } from './networks.js';
import { shuffledLabels } from './shuffled-labels.js';
import { relabelled, rounded, type Samples, type Snapshot, sharpness, snapshotsOf } from './training.js';

/** Of each, the first images are to train on; the rest of the 8 x 8 digits, and 1,000 others of MNIST, are to test. */
export const datasets = ['MNIST', 'digits'] as const;
export type Dataset = (typeof datasets)[number];

export const IMAGES = 250;
export const EPOCHS = 40;

/** One way to train. */
export interface Way {
  readonly rate: number;
  readonly batch: number;
  /** Units of the first hidden layer; the second has half of them. */
  readonly width: number;
  readonly decay: number;
  readonly optimizer: OptimizerName;
  /** rho of SAM and ASAM, lambda of the penalty; else 0. */
  readonly strength: number;
}

/** One network. */
export interface SweepSetting extends Way {
  readonly dataset: Dataset;
  /** Share of the labels that are shuffled among themselves. */
  readonly ratio: number;
  readonly seed: number;
}

/** One line of the results. A network that diverged has snapshots of the epochs before only. */
export interface SweepTraining extends SweepSetting {
  readonly snapshots: readonly Snapshot[];
}

/** SAM, ASAM and the penalty on Minimum Sharpness go around SGD with momentum. */
const optimizers = {
  momentum: ({ rate }: Way) => tf.train.momentum(rate, MOMENTUM),
  SGD: ({ rate }: Way) => tf.train.sgd(rate),
  Adam: ({ rate }: Way) => tf.train.adam(rate),
  SAM: ({ rate, strength }: Way) => sam(tf.train.momentum(rate, MOMENTUM), { rho: strength }),
  ASAM: ({ rate, strength }: Way) => asam(tf.train.momentum(rate, MOMENTUM), { rho: strength }),
  penalty: ({ rate, strength }: Way, model: tf.LayersModel) =>
    sharpnessPenalty(tf.train.momentum(rate, MOMENTUM), { model, lambda: strength, loss: 'categoricalCrossentropy' }),
} as const;
export type OptimizerName = keyof typeof optimizers;

/** In the middle of everything that is varied. */
export const base: Way = { rate: 0.03, batch: 25, width: 64, decay: 0, optimizer: 'momentum', strength: 0 };

/** The optimizers with what they are given. SGD has the rate that momentum comes to, 1 / (1 - 0.9) times as large. */
const otherOptimizers: readonly Partial<Way>[] = [
  { optimizer: 'SGD', rate: 0.3 },
  { optimizer: 'Adam', rate: 0.001 },
  { optimizer: 'SAM', strength: 0.05 },
  { optimizer: 'ASAM', strength: 0.5 },
  { optimizer: 'penalty', strength: 0.003 },
  { optimizer: 'penalty', strength: 0.01 },
  { optimizer: 'penalty', strength: 0.03 },
];

/** What is varied around the base, one thing at a time, and learning rate and batch size together. The base is one of each. */
export const factors: Readonly<Record<string, readonly Way[]>> = Object.fromEntries(
  Object.entries<readonly Partial<Way>[]>({
    'learning rate': [0.01, 0.017, 0.03, 0.055, 0.1].map((rate) => ({ rate })),
    'batch size': [10, 25, 50, 125].map((batch) => ({ batch })),
    'rate and batch': [0.01, 0.03, 0.1].flatMap((rate) => [10, 25, 125].map((batch) => ({ rate, batch }))),
    width: [16, 32, 64, 128, 256].map((width) => ({ width })),
    optimizer: [{}, ...otherOptimizers],
    'weight decay': [0, 1e-4, 1e-3, 1e-2].map((decay) => ({ decay })),
  }).map(([factor, varied]) => [factor, varied.map((each) => ({ ...base, ...each }))]),
);

export const sweepRatios = [0, 0.2] as const;
export const SEEDS = 5;
/** Optimizers that are to make the minimum flat are compared with the base on shuffled labels, by more seeds. */
export const MORE_SEEDS = 10;
export const isCompared = ({ ratio, ...way }: Way & { readonly ratio: number }) =>
  ratio > 0 && (way.strength > 0 || wayName(way) === wayName(base));

/** A way to train by a name of its own. */
export const wayName = ({ rate, batch, width, decay, optimizer, strength }: Way) =>
  `${optimizer}${strength ? `-${strength}` : ''}-rate-${rate}-batch-${batch}-width-${width}-decay-${decay}`;

/** Every network by a name of its own. */
export const sweepName = (setting: SweepSetting) =>
  `${setting.dataset}-${wayName(setting)}-ratio-${setting.ratio}-seed-${setting.seed}`;

/** All ways, none of them twice. */
export const ways: readonly Way[] = [
  ...new Map(
    Object.values(factors)
      .flat()
      .map((way) => [wayName(way), way]),
  ).values(),
];

/** All networks in the order of training: a seed of all settings before the next. */
export function sweep(): SweepSetting[] {
  return Array.from({ length: MORE_SEEDS }, (_, i) => i + 1).flatMap((seed) =>
    sweepRatios.flatMap((ratio) =>
      datasets.flatMap((dataset) =>
        ways
          .filter((way) => seed <= SEEDS || isCompared({ ...way, ratio }))
          .map((way) => ({ dataset, ratio, ...way, seed })),
      ),
    ),
  );
}

/** The same for all ways to train: networks of one width begin with the same weights, and see the same images in the same order. */
const seedOf = ({ ratio, seed }: SweepSetting) => 100_000 + 1000 * seed + Math.round(100 * ratio);

/** Pixels from 0 to 1. */
function squareImages(rows: tf.Tensor2D): tf.Tensor4D {
  const side = Math.sqrt(rows.shape[1]);
  return rows.reshape([-1, side, side, 1]);
}

function samplesOf(setting: SweepSetting): [train: Samples, test: Samples] {
  const [images, labels, testImages, testLabels] = tf.tidy(() => {
    const [train, test] = setting.dataset === 'MNIST' ? splitMnist() : splitDigits();
    const source = shuffledLabels(IMAGES, setting.ratio, seedOf(setting));
    return [squareImages(train.images), relabelled(train.labels, source), squareImages(test.images), test.labels];
  }) as [tf.Tensor4D, tf.Tensor2D, tf.Tensor4D, tf.Tensor2D];
  return [
    { images, labels },
    { images: testImages, labels: testLabels },
  ];
}

const splitMnist = (): [train: Digits, test: Digits] => [mnistDigits('train', IMAGES), mnistDigits('test', 1000)];

/** The first of the 8 x 8 digits, and all others. */
function splitDigits(): [train: Digits, test: Digits] {
  const [many, more] = [smallDigits('train', 1497), smallDigits('test', 300)];
  const [trainImages, otherImages] = tf.split(many.images, [IMAGES, 1497 - IMAGES]) as [tf.Tensor2D, tf.Tensor2D];
  const [trainLabels, otherLabels] = tf.split(many.labels, [IMAGES, 1497 - IMAGES]) as [tf.Tensor2D, tf.Tensor2D];
  return [
    { images: trainImages, labels: trainLabels },
    { images: otherImages.concat(more.images), labels: otherLabels.concat(more.labels) },
  ];
}

/** Pairs that the largest eigenvalue comes from. */
export const PAIRS = 128;

/** The largest eigenvalue of the Gauss-Newton matrix, at the given and at the balanced scale; none of a network that is quite flat. */
const largestEigenvalue: Measure = async (model, { images, labels }): Promise<Record<string, number>> => {
  const options = { labels, method: { pairs: PAIRS }, eigenvalues: 1 } as const;
  const { topEigenvalues } = await measureSharpness(model, images, options);
  const [given, balanced] = [topEigenvalues?.given[0], topEigenvalues?.balanced[0]];
  return given && balanced ? { eigenvalue1: given.value, balancedEigenvalue1: balanced.value } : {};
};

/** Trains one network, which comes out the same each time on one backend. The last snapshot has the largest eigenvalues, too. */
export async function trainSweep(setting: SweepSetting, epochs = EPOCHS): Promise<SweepTraining> {
  const [samples, test] = samplesOf(setting);
  const { width, decay, batch } = setting;
  const model = mlp(samples.images.shape[1], [width, width / 2], decay, seedOf(setting));
  const optimizer = optimizers[setting.optimizer](setting, model);
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  const order = seedOf(setting) + 500;
  const snapshots = await snapshotsOf({ model, samples, test, batch, epochs, seed: order, measure: sharpness });
  const last = snapshots.at(-1)!;
  if (last.epoch === epochs) {
    snapshots[snapshots.length - 1] = { ...last, ...rounded(await largestEigenvalue(model, samples)) };
  }
  tf.dispose([samples.images, samples.labels, test.images, test.labels]);
  optimizer.dispose();
  model.dispose();
  return { ...setting, snapshots };
}
