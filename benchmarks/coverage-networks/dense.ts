import * as tf from '@tensorflow/tfjs';
import type { BuiltNetwork, CoverageNetwork } from './network.js';
import { amplify, changeWeight, normal, putToSleep, setRandomWeights } from './rare-units.js';

const { dense } = tf.layers;
const SAMPLES = 4000;
const INPUTS = 8;

/** Two units, of which one wakes on one sample in 80 and is multiplied by 100: most of the trace lies in few samples. */
function twoUnits(): BuiltNetwork {
  const model = tf.sequential({
    layers: [
      dense({ units: 2, activation: 'relu', inputShape: [4] }),
      dense({ units: 2, activation: 'relu' }),
      dense({ units: 1 }),
    ],
  });
  const kernels = [
    [
      [1, 0.5],
      [0, 1],
      [0, 1],
      [0, 1],
    ],
    [
      [100, -100],
      [1, 1],
    ],
    [[1], [1]],
  ];
  const biases = [[-2.6, 0], [0, 0], [0]];
  tf.tidy(() => model.setWeights(kernels.flatMap((kernel, l) => [tf.tensor2d(kernel), tf.tensor1d(biases[l]!)])));
  return {
    model,
    inputs: normal([4000, 4], 11),
    options: { loss: 'meanSquaredError' },
  };
}

export type Head = 'linear' | 'softmax' | 'sigmoid';

export const lossOf = {
  linear: 'meanSquaredError',
  softmax: 'categoricalCrossentropy',
  sigmoid: 'binaryCrossentropy',
} as const;

interface Setting {
  /** Units of the layers in front of the last one. */
  readonly widths: readonly number[];
  readonly head: Head;
  readonly outputs?: number;
  /** Numbers, from 0, of the layers that have units which are rarely awake, and what the layers behind multiply them by. */
  readonly rare: readonly number[];
  readonly count?: number;
  readonly share: number;
  readonly gain: number;
}

/** Layers of ReLUs on normal numbers. */
function stack({ widths, head, outputs = 3, rare, count = 2, share, gain }: Setting, seed: number): BuiltNetwork {
  const model = tf.sequential({
    layers: [
      ...widths.map((units, l) =>
        dense({ units, activation: 'relu', name: `hidden${l}`, ...(l === 0 && { inputShape: [INPUTS] }) }),
      ),
      dense({ units: outputs, activation: head, name: `hidden${widths.length}` }),
    ],
  });
  setRandomWeights(model, seed);
  const inputs = normal([SAMPLES, INPUTS], seed);
  const units = Array.from({ length: count }, (_, i) => i);
  for (const layer of rare) {
    putToSleep(model, inputs, { layer: `hidden${layer}`, units, share });
    amplify(model, `hidden${layer + 1}`, units, gain);
  }
  return { model, inputs, options: { loss: lossOf[head] } };
}

/** Some samples are a hundred times as large as the others. */
function outliers(head: Head, seed: number): BuiltNetwork {
  const { model, inputs, options } = stack({ widths: [32, 16], head, rare: [], share: 1, gain: 1 }, seed);
  const isOutlier = tf.randomUniform([SAMPLES, 1], 0, 1, 'float32', seed).less(0.005).toFloat();
  return { model, inputs: (inputs as tf.Tensor).mul(isOutlier.mul(99).add(1)), options };
}

/** A class of one sample in 200 lies apart from the others, and owns four units which its logit hangs on. */
function rareClass(head: Head, seed: number): BuiltNetwork {
  const widths = [32, 16];
  const { model, options } = stack({ widths, head, outputs: 4, rare: [], share: 1, gain: 1 }, seed);
  const units = [0, 1, 2, 3];
  const isRare = tf.randomUniform([SAMPLES, 1], 0, 1, 'float32', seed).less(0.005).toFloat();
  const inputs = normal([SAMPLES, INPUTS], seed + 1).add(isRare.mul(tf.onesLike(isRare)).mul(4));
  changeWeight(model, 'hidden0', /kernel/, (values) => {
    for (let i = 0; i < INPUTS; i++) {
      for (const unit of units) {
        values[32 * i + unit] = 0.5 + 0.1 * unit;
      }
    }
  });
  putToSleep(model, inputs, { layer: 'hidden0', units, share: 0.006 });
  amplify(model, 'hidden1', units, head === 'softmax' ? 3 : 30);
  return { model, inputs, options };
}

/** A layer that was initialised or trained so that nearly all of its units sleep on nearly all samples. */
function dying(head: Head, share: number, gain: number, seed: number): BuiltNetwork {
  return stack({ widths: [32, 16], head, rare: [0], count: 32, share, gain }, seed);
}

export const denseNetworks: readonly CoverageNetwork[] = [
  { name: 'two units, one rare', build: twoUnits },
  ...[0.001, 0.002, 0.005, 0.01, 0.02, 0.05].map((share) => ({
    name: `3 layers, awake on ${+(100 * share).toFixed(1)}%, squared error`,
    build: (seed: number) => stack({ widths: [32, 16], head: 'linear', rare: [0], share, gain: 100 }, seed),
  })),
  {
    name: '2 layers, 0.5%, squared error',
    build: (seed) => stack({ widths: [32], head: 'linear', rare: [0], share: 0.005, gain: 100 }, seed),
  },
  {
    name: '4 layers, 1%, softmax',
    build: (seed) => stack({ widths: [32, 16, 16], head: 'softmax', rare: [0], share: 0.01, gain: 20 }, seed),
  },
  {
    name: '4 layers, 0.3%, softmax',
    build: (seed) => stack({ widths: [32, 16, 16], head: 'softmax', rare: [0], share: 0.003, gain: 30 }, seed),
  },
  {
    name: '3 layers, 1%, sigmoid',
    build: (seed) => stack({ widths: [32, 16], head: 'sigmoid', rare: [0], share: 0.01, gain: 20 }, seed),
  },
  {
    name: '5 layers, 0.5% in the third, squared error',
    build: (seed) => stack({ widths: [32, 24, 16, 16], head: 'linear', rare: [2], share: 0.005, gain: 100 }, seed),
  },
  {
    name: '5 layers, 2% in two of them, squared error',
    build: (seed) => stack({ widths: [32, 24, 16, 16], head: 'linear', rare: [0, 2], share: 0.02, gain: 30 }, seed),
  },
  { name: 'all units of a layer on 0.5%, squared error', build: (seed) => dying('linear', 0.005, 30, seed) },
  { name: 'all units of a layer on 0.2%, softmax', build: (seed) => dying('softmax', 0.002, 10, seed) },
  { name: 'outliers 100 times as large, squared error', build: (seed) => outliers('linear', seed) },
  { name: 'outliers 100 times as large, softmax', build: (seed) => outliers('softmax', seed) },
  { name: 'rare class, softmax', build: (seed) => rareClass('softmax', seed) },
  { name: 'rare class, sigmoid', build: (seed) => rareClass('sigmoid', seed) },
];
