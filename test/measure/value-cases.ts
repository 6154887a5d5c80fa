import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';

/**
 * A reading whose right value is known, by hand or from a float64 reference. It runs on every backend, and in a page: nothing of Node
 * may be imported here.
 */
export interface ValueCase {
  readonly name: string;
  readonly model: () => tfl.LayersModel;
  readonly x: () => tf.Tensor;
  readonly options: MeasureOptions;
  /** What is known: Minimum Sharpness, the whole trace, the trace of each weight tensor. */
  readonly right: { readonly minimumSharpness?: number; readonly trace?: number; readonly traces?: readonly number[] };
  /** Largest relative deviation. Default 1e-4, what the digits of `right` say. */
  readonly within?: number;
}

/** What a case gave, and the tensors that it left behind. */
export interface ValueFound {
  readonly minimumSharpness: number;
  readonly trace: number;
  readonly traces: readonly number[];
  readonly leaked: number;
}

export async function foundBy({ model: make, x: inputs, options }: ValueCase): Promise<ValueFound> {
  const [model, x] = [make(), inputs()];
  try {
    const before = tf.memory().numTensors;
    const { minimumSharpness, trace, parameters } = await measureSharpness(model, x, options);
    const leaked = tf.memory().numTensors - before;
    return { minimumSharpness, trace, traces: parameters.map(({ trace }) => trace), leaked };
  } finally {
    x.dispose();
    model.dispose();
  }
}

/** The largest relative deviation from what is right. */
export function deviationOf({ right }: ValueCase, found: ValueFound): number {
  const pairs = [
    [found.minimumSharpness, right.minimumSharpness ?? found.minimumSharpness],
    [found.trace, right.trace ?? found.trace],
    ...(right.traces ?? []).map((trace, b) => [found.traces[b], trace]),
  ];
  return Math.max(...pairs.map(([value, expected]) => Math.abs(value / expected - 1)));
}

const { dense, conv2d, flatten } = tfl.layers;

function withWeights(model: tfl.LayersModel, weights: readonly tf.TensorLike[]): tfl.LayersModel {
  tf.tidy(() => model.setWeights(weights.map((values) => tf.tensor(values, undefined, 'float32'))));
  return model;
}

/** dense(2), dense(3, softmax). */
function smallNetwork(activation: 'relu' | 'tanh'): tfl.LayersModel {
  const layers = [dense({ units: 2, activation, inputShape: [2] }), dense({ units: 3, activation: 'softmax' })];
  return withWeights(tfl.sequential({ layers }), [
    [
      [0.5, -0.3],
      [0.2, 0.8],
    ],
    [0.1, -0.2],
    [
      [0.7, -0.5, 0.1],
      [-0.4, 0.6, 0.3],
    ],
    [0, 0.1, -0.1],
  ]);
}

/** Units that are rarely awake, in front of large weights. */
function rarelyAwake(): tfl.LayersModel {
  const relu = { units: 2, activation: 'relu' as const };
  const model = tfl.sequential({ layers: [dense({ ...relu, inputShape: [4] }), dense(relu), dense({ units: 1 })] });
  return withWeights(model, [
    [
      [1, 0.5],
      [0, 1],
      [0, 1],
      [0, 1],
    ],
    [-2.6, 0],
    [
      [100, -100],
      [1, 1],
    ],
    [0, 0],
    [[1], [1]],
    [0],
  ]);
}

/** Images whose rows a WebGPU device cannot take all at once in the backward convolution: 460 x 9 x 64 / 4 workgroups along an axis. */
function manyRows(): tfl.LayersModel {
  const init = (seed: number) => tfl.initializers.glorotUniform({ seed });
  return tfl.sequential({
    layers: [
      conv2d({
        filters: 4,
        kernelSize: [3, 1],
        padding: 'same',
        activation: 'relu',
        inputShape: [64, 1, 4],
        kernelInitializer: init(1),
      }),
      conv2d({ filters: 4, kernelSize: [3, 1], padding: 'same', activation: 'relu', kernelInitializer: init(2) }),
      flatten(),
      dense({ units: 10, activation: 'softmax', kernelInitializer: init(3) }),
    ],
  });
}

const four = [
  [1, 2],
  [0.5, -1],
  [3, 1],
  [-1, 1],
];
const six = [...four, [2, 2], [1, 0.5]];
const loss = 'categoricalCrossentropy';
const normal = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);

export const valueCases: readonly ValueCase[] = [
  {
    name: 'every sample alike',
    model: () => smallNetwork('relu'),
    x: () => tf.tensor2d(six),
    options: { loss },
    right: { trace: 3.06386 },
  },
  {
    name: 'sample weights, some 0',
    model: () => smallNetwork('relu'),
    x: () => tf.tensor2d(six),
    options: { loss, sampleWeight: [1, 1, 0, 1, 0, 0] },
    right: { trace: 1.22354, traces: [0.43591, 0.13213, 0.33104, 0.32446] },
  },
  {
    name: 'all layers trained',
    model: () => smallNetwork('relu'),
    x: () => tf.tensor2d(four),
    options: { loss },
    right: { minimumSharpness: 2.6984, trace: 2.7352 },
  },
  {
    name: 'units that are rarely awake',
    model: rarelyAwake,
    x: () => normal([4000, 4], 11),
    options: { loss: 'meanSquaredError' },
    right: { minimumSharpness: 196.7 },
    within: 5e-4,
  },
  {
    name: 'more rows than a device takes at once',
    model: manyRows,
    x: () => normal([460, 64, 1, 4], 5),
    options: { loss },
    right: { minimumSharpness: 66.5468, trace: 162.469 },
  },
];
