import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { LabelledInputs } from '../../src/measure/inputs.js';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';

/**
 * A reading whose right value is known, by hand or from a float64 reference. It runs on every backend, and in a page: nothing of Node
 * may be imported here.
 */
export interface ValueCase {
  readonly name: string;
  readonly model: () => tfl.LayersModel;
  readonly x: () => tf.Tensor | (LabelledInputs & { readonly xs: tf.Tensor; readonly ys: tf.Tensor });
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
    tf.dispose(x as tf.TensorContainer);
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

const { activation, batchNormalization, conv2d, dense, flatten } = tfl.layers;

function withWeights(model: tfl.LayersModel, weights: readonly tf.TensorLike[]): tfl.LayersModel {
  tf.tidy(() => model.setWeights(weights.map((values) => tf.tensor(values, undefined, 'float32'))));
  return model;
}

const first = [
  [0.5, -0.3],
  [0.2, 0.8],
];
const last = [
  [0.7, -0.5, 0.1],
  [-0.4, 0.6, 0.3],
];

/** dense(2), dense(3, softmax). */
function smallNetwork(): tfl.LayersModel {
  const layers = [dense({ units: 2, activation: 'relu', inputShape: [2] }), dense({ units: 3, activation: 'softmax' })];
  return withWeights(tfl.sequential({ layers }), [first, [0.1, -0.2], last, [0, 0.1, -0.1]]);
}

/** The same, its first layer in a model of its own, which is frozen: tf.js, which asks the layers inside of it at compile, trains it all the same. */
function nestedNetwork(): tfl.LayersModel {
  const base = tfl.sequential({ layers: [dense({ units: 2, activation: 'relu', inputShape: [2] })] });
  base.trainable = false;
  const model = tfl.sequential({ layers: [base, dense({ units: 3, activation: 'softmax' })] });
  model.compile({ optimizer: 'sgd', loss });
  return withWeights(model, [first, [0.1, -0.2], last, [0, 0.1, -0.1]]);
}

/** dense(2), batch normalization, relu, dense(3, softmax). */
function normalizedNetwork(axis: number | number[]): tfl.LayersModel {
  const model = tfl.sequential({
    layers: [
      dense({ units: 2, inputShape: [2] }),
      // As files of Keras have it.
      batchNormalization({ axis: axis as number, epsilon: 1e-3 }),
      activation({ activation: 'relu' }),
      dense({ units: 3, activation: 'softmax' }),
    ],
  });
  const [gamma, beta, mean, variance] = [
    [1.5, 0.5],
    [0.2, -0.1],
    [0.3, -0.4],
    [2, 0.5],
  ];
  // The moving statistics, which are not trained, come last.
  return withWeights(model, [first, [0.1, -0.2], gamma, beta, last, [0, 0.1, -0.1], mean, variance]);
}

/** A convolution in front, which takes images of whole numbers as they are. */
function imageNetwork(): tfl.LayersModel {
  const model = tfl.sequential({
    layers: [
      conv2d({ filters: 1, kernelSize: 2, activation: 'relu', inputShape: [3, 3, 1] }),
      flatten(),
      dense({ units: 2 }),
    ],
  });
  const head = [
    [0.3, -0.2],
    [0.5, 0.1],
    [-0.4, 0.6],
    [0.2, 0.25],
  ];
  return withWeights(model, [
    [
      [[[0.5]], [[-0.25]]],
      [[[0.25]], [[0.1]]],
    ],
    [0.1],
    head,
    [0.1, 0],
  ]);
}

/** Attention of dense layers and products, its values times a factor that the output takes back. */
function attentionNetwork(factor: number): tfl.LayersModel {
  const x = tfl.input({ shape: [3, 2] });
  const projection = (of: tfl.SymbolicTensor) => dense({ units: 2, useBias: false }).apply(of) as tfl.SymbolicTensor;
  const [query, key, value] = [projection(x), projection(x), projection(x)];
  const product = (axes: [number, number], ...of: tfl.SymbolicTensor[]) =>
    tfl.layers.dot({ axes }).apply(of) as tfl.SymbolicTensor;
  const weights = activation({ activation: 'softmax' }).apply(product([2, 2], query, key)) as tfl.SymbolicTensor;
  const model = tfl.model({ inputs: x, outputs: projection(product([2, 1], weights, value)) });
  const times = (by: number, rows: number[][]) => rows.map((row) => row.map((each) => by * each));
  return withWeights(model, [
    first,
    [
      [0.6, 0.4],
      [-0.7, 0.3],
    ],
    times(factor, [
      [0.9, -0.2],
      [0.1, 0.5],
    ]),
    times(1 / factor, [
      [0.7, -0.5],
      [-0.4, 0.6],
    ]),
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
/** Rows of labels. */
const padded = [
  [1, 0, 0],
  [0, 0, 1],
  [0, 0, 0],
  [0, 1, 0],
  [0, 0, 0],
  [0, 0, 0],
];
const images = [0, 3, 1, 2, 5, 4, 1, 0, 2, 7, 1, 0, 0, 2, 6, 3, 3, 1];
const loss = 'categoricalCrossentropy';
const normal = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);

export const valueCases: readonly ValueCase[] = [
  {
    name: 'every sample alike',
    model: () => smallNetwork(),
    x: () => tf.tensor2d(six),
    options: { loss },
    right: { trace: 3.06386 },
  },
  {
    name: 'sample weights, some 0',
    model: () => smallNetwork(),
    x: () => tf.tensor2d(six),
    options: { loss, sampleWeight: [1, 1, 0, 1, 0, 0] },
    right: { trace: 1.22354, traces: [0.43591, 0.13213, 0.33104, 0.32446] },
  },
  {
    name: 'labels, some rows 0',
    model: () => smallNetwork(),
    x: () => ({ xs: tf.tensor2d(six), ys: tf.tensor2d(padded) }),
    options: { loss },
    right: { minimumSharpness: 1.19173, trace: 1.22354, traces: [0.43591, 0.13213, 0.33104, 0.32446] },
  },
  {
    name: 'all layers trained',
    model: () => smallNetwork(),
    x: () => tf.tensor2d(four),
    options: { loss },
    right: { minimumSharpness: 2.6984, trace: 2.7352 },
  },
  {
    name: 'a nested model, whose layers are trained',
    model: nestedNetwork,
    x: () => tf.tensor2d(four),
    options: { loss },
    right: { minimumSharpness: 2.6984, trace: 2.7352 },
  },
  ...[1, [1]].map((axis) => ({
    name: `batch normalization, axis ${JSON.stringify(axis)}`,
    model: () => normalizedNetwork(axis),
    x: () => tf.tensor2d(six),
    options: { loss } as const,
    right: {
      minimumSharpness: 3.197373,
      trace: 3.55976,
      traces: [1.17683, 0.261738, 0.367552, 0.295665, 0.843649, 0.614327],
    },
  })),
  {
    name: 'images of whole numbers',
    model: imageNetwork,
    x: () => tf.tensor4d(images, [2, 3, 3, 1], 'int32'),
    options: { loss: 'meanSquaredError' },
    right: { minimumSharpness: 70.98219, trace: 72.24625, traces: [40.83375, 0.9225, 28.49, 2] },
  },
  ...[1, 10].map((factor) => ({
    name: `attention, its values times ${factor}`,
    model: () => attentionNetwork(factor),
    x: () => tf.tensor3d(six.flat(), [2, 3, 2]),
    options: { loss: 'meanSquaredError' } as const,
    right: {
      minimumSharpness: 12.162979,
      traces: [1.18353, 1.466445, 4.596134 / factor ** 2, 4.938151 * factor ** 2],
    },
  })),
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
