import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import { lcg } from '../measure/golden-network.js';
import { Attention, Product } from './attention-layers.js';

const { layers } = tfl;

type Tensor = tfl.SymbolicTensor;
type Layer = tfl.layers.Layer;
type Shape = readonly number[];

/** What a block draws its settings from. */
interface Draw {
  /** A whole number from 0 to n - 1. */
  below(n: number): number;
  flag(): boolean;
  of<T>(...choices: readonly T[]): T;
}

/** Shape of a tensor without its batch axis: a vector, a sequence [steps, features] or an image. */
const shapeOf = (x: Tensor) => x.shape.slice(1) as number[];
const apply = (layer: Layer, ...inputs: Tensor[]) => layer.apply(inputs.length === 1 ? inputs[0] : inputs) as Tensor;
const through = (x: Tensor, ...chain: Layer[]) => chain.reduce((y, layer) => apply(layer, y), x);

/** Mostly what keeps scales free. */
const activationOf = (draw: Draw) =>
  draw.of<'linear' | 'relu' | 'relu6' | 'tanh' | 'sigmoid' | 'softplus' | 'elu' | 'softmax'>(
    ...(['linear', 'linear', 'relu', 'relu', 'relu', 'relu', 'relu', 'relu'] as const),
    ...(draw.below(3) === 0 ? (['relu6', 'tanh', 'sigmoid', 'softplus', 'elu', 'softmax'] as const) : []),
  );

const weighted = (draw: Draw) => ({
  useBias: draw.below(4) > 0,
  trainable: draw.below(10) > 0,
  activation: activationOf(draw),
});

/** A layer with weights that keeps the shape of its input. */
function shapeKeeping(shape: Shape, draw: Draw): Layer {
  const channels = shape.at(-1)!;
  if (shape.length === 3) {
    return layers.conv2d({ filters: channels, kernelSize: draw.of(1, 2, 3), padding: 'same', ...weighted(draw) });
  }
  return layers.dense({ units: channels, ...weighted(draw) });
}

const image = (shape: Shape) => shape.length === 3;
const sequence = (shape: Shape) => shape.length === 2;
const vector = (shape: Shape) => shape.length === 1;
const any = () => true;

interface Block {
  readonly fits: (shape: Shape) => boolean;
  readonly weight: number;
  readonly build: (x: Tensor, draw: Draw, earlier: readonly Tensor[]) => Tensor;
}

/** One block that is a chain of layers. */
const chain = (
  fits: Block['fits'],
  make: (draw: Draw, shape: number[]) => Layer | readonly Layer[],
  weight = 1,
): Block => ({ fits, weight, build: (x, draw) => through(x, ...[make(draw, shapeOf(x))].flat()) });

/** An earlier tensor of the same shape, else a branch of its own; the other input is x or a branch. */
function two(x: Tensor, draw: Draw, earlier: readonly Tensor[]): [Tensor, Tensor] {
  const same = earlier.filter((y) => y !== x && shapeOf(y).join() === shapeOf(x).join());
  const branch = () => through(x, shapeKeeping(shapeOf(x), draw));
  const first = draw.flag() ? x : branch();
  return [first, same.length > 0 && draw.flag() ? draw.of(...same) : branch()];
}

const merge = (make: (draw: Draw) => Layer, weight = 1): Block => ({
  fits: any,
  weight,
  build: (x, draw, earlier) => apply(make(draw), ...two(x, draw, earlier)),
});

/** A layer that is called twice. */
const shared = (fits: Block['fits'], make: (shape: number[], draw: Draw) => Layer): Block => ({
  fits,
  weight: 1,
  build(x, draw, earlier) {
    const layer = make(shapeOf(x), draw);
    if (draw.flag()) {
      return through(x, layer, layer);
    }
    const [a, b] = two(x, draw, earlier);
    return apply(draw.of<Layer>(layers.add(), layers.concatenate()), apply(layer, a), apply(layer, b));
  },
});

/** A window that is no longer than what it slides over. */
const window = (draw: Draw, shape: Shape) => (Math.min(...shape.slice(0, -1)) > 1 ? draw.of(1, 2) : 1);
const windowed = (draw: Draw) => ({ padding: draw.of<'same' | 'valid'>('same', 'valid') });
const batchNorm = (draw: Draw) =>
  layers.batchNormalization({ center: draw.below(3) > 0, scale: draw.below(4) > 0, trainable: draw.below(8) > 0 });

/** Attention of layers and products: of the sequence to itself or to an earlier one, with or without softmax, one head. */
function attention(x: Tensor, draw: Draw, earlier: readonly Tensor[]): Tensor {
  const other = draw.of(x, ...earlier.filter((y) => shapeOf(y).length === 2));
  const units = 2 + draw.below(2);
  const project = () => layers.dense({ units, ...weighted(draw) });
  const query = project();
  const key = draw.below(5) === 0 && shapeOf(x).at(-1) === shapeOf(other).at(-1) ? query : project();
  const [q, k, v] = [apply(query, x), apply(key, other), apply(project(), other)];
  const byLayer = draw.flag();
  const product = (turned: boolean) =>
    byLayer ? layers.dot({ axes: turned ? [2, 2] : [2, 1] }) : new Product({ turned, factor: turned ? 0.5 : 1 });
  const normalize = draw.below(4) === 0;
  const scores = apply(normalize ? layers.dot({ axes: [2, 2], normalize }) : product(true), q, k);
  const weights = draw.below(4) === 0 ? scores : apply(layers.activation({ activation: 'softmax' }), scores);
  return apply(product(false), weights, v);
}

/** By name, all that a network is put together from. */
export const blocks: Readonly<Record<string, Block>> = {
  dense: chain(any, (draw) => layers.dense({ units: 2 + draw.below(4), ...weighted(draw) }), 4),
  conv1d: chain(
    sequence,
    (draw, shape) =>
      layers.conv1d({
        filters: 1 + draw.below(4),
        kernelSize: window(draw, shape),
        ...windowed(draw),
        ...weighted(draw),
      }),
    2,
  ),
  conv2d: chain(
    image,
    (draw, shape) =>
      layers.conv2d({
        filters: 1 + draw.below(4),
        kernelSize: window(draw, shape),
        strides: draw.of(1, 1, 2),
        ...windowed(draw),
        ...weighted(draw),
      }),
    5,
  ),
  transposed: chain(image, (draw) =>
    layers.conv2dTranspose({ filters: 1 + draw.below(3), kernelSize: 2, strides: draw.of(1, 2), ...weighted(draw) }),
  ),
  depthwise: chain(image, (draw, shape) =>
    layers.depthwiseConv2d({ kernelSize: window(draw, shape), depthMultiplier: draw.of(1, 2), ...weighted(draw) }),
  ),
  separable: chain(image, (draw, shape) =>
    layers.separableConv2d({ filters: 1 + draw.below(3), kernelSize: window(draw, shape), ...weighted(draw) }),
  ),
  batchNorm: chain(any, batchNorm, 3),
  layerNorm: chain(
    (shape) => shape.at(-1)! > 2,
    (draw) => layers.layerNormalization({ center: draw.flag(), scale: draw.flag(), trainable: draw.below(8) > 0 }),
  ),
  activation: chain(any, (draw) => layers.activation({ activation: activationOf(draw) })),
  leakyRelu: chain(any, () => layers.leakyReLU({ alpha: 0.2 })),
  prelu: chain(any, () => layers.prelu({})),
  thresholded: chain(any, (draw) => layers.thresholdedReLU({ theta: draw.of(0, 0.2) })),
  maxPool: chain(image, (draw, shape) => layers.maxPooling2d({ poolSize: window(draw, shape), ...windowed(draw) })),
  averagePool: chain(image, (draw) =>
    layers.averagePooling2d({ poolSize: draw.of(1, 2), strides: 1, padding: 'same' }),
  ),
  pool1d: chain(sequence, (draw) =>
    draw.flag() ? layers.maxPooling1d({ poolSize: 2, padding: 'same' }) : layers.averagePooling1d({ poolSize: 1 }),
  ),
  globalPool: chain(image, (draw) => (draw.flag() ? layers.globalMaxPooling2d({}) : layers.globalAveragePooling2d({}))),
  globalPool1d: chain(sequence, (draw) =>
    draw.flag() ? layers.globalMaxPooling1d() : layers.globalAveragePooling1d(),
  ),
  flatten: chain(
    (shape) => !vector(shape),
    () => layers.flatten(),
  ),
  reshape: chain(any, (draw, shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return layers.reshape({ targetShape: size % 2 === 0 && draw.flag() ? [2, size / 2] : [1, ...shape].slice(-3) });
  }),
  permute: chain(sequence, () => layers.permute({ dims: [2, 1] })),
  repeat: chain(vector, () => layers.repeatVector({ n: 2 })),
  upSampling: chain(
    (shape) => image(shape) && shape[0]! < 5 && shape[1]! < 5,
    (draw) =>
      layers.upSampling2d({ size: [2, 1], interpolation: draw.of<'nearest' | 'bilinear'>('nearest', 'bilinear') }),
  ),
  cropping: chain(
    (shape) => image(shape) && shape[0]! > 1,
    () =>
      layers.cropping2D({
        cropping: [
          [1, 0],
          [0, 0],
        ],
      }),
  ),
  padding: chain(image, () =>
    layers.zeroPadding2d({
      padding: [
        [0, 1],
        [1, 0],
      ],
    }),
  ),
  dropout: chain(any, () => layers.dropout({ rate: 0.4 })),
  timeDistributed: chain(sequence, (draw) =>
    layers.timeDistributed({ layer: draw.flag() ? batchNorm(draw) : layers.dense({ units: 3, ...weighted(draw) }) }),
  ),
  // tf.js has no gradient for sequences of one step.
  recurrent: chain(
    (shape) => sequence(shape) && shape[0]! > 1,
    (draw) => {
      const config = { units: 2, returnSequences: draw.flag(), recurrentInitializer: 'glorotUniform' } as const;
      const activation = draw.of<'relu' | 'tanh'>('relu', 'tanh');
      return draw.of<Layer>(layers.simpleRNN({ ...config, activation }), layers.gru(config), layers.lstm(config));
    },
  ),
  residual: {
    fits: any,
    weight: 3,
    build: (x, draw) =>
      apply(layers.add(), x, through(x, shapeKeeping(shapeOf(x), draw), shapeKeeping(shapeOf(x), draw))),
  },
  add: merge(() => layers.add()),
  average: merge(() => layers.average()),
  concatenate: merge((draw) => layers.concatenate({ axis: draw.of(-1, 1) }), 2),
  extremum: merge((draw) => (draw.flag() ? layers.maximum() : layers.minimum())),
  multiply: merge(() => layers.multiply(), 2),
  dot: {
    fits: (shape) => shape.length < 3,
    weight: 1,
    build(x, draw, earlier) {
      const axes = vector(shapeOf(x)) ? 1 : 2;
      return apply(layers.dot({ axes, normalize: draw.below(4) === 0 }), ...two(x, draw, earlier));
    },
  },
  attention: { fits: sequence, weight: 2, build: attention },
  ownAttention: {
    fits: sequence,
    weight: 1,
    build(x, draw, earlier) {
      const heads = draw.of(1, 2);
      const layer = new Attention({ units: 2 * heads, heads, bias: draw.flag() });
      const others = earlier.filter((y) => shapeOf(y).length === 2);
      // What goes into one layer twice and elsewhere too, predict of tf.js disposes too early.
      const other = draw.flag() ? x : draw.of(x, ...others);
      return other === x ? apply(layer, x) : apply(layer, x, other);
    },
  },
  gated: {
    fits: any,
    weight: 1,
    build: (x, draw) =>
      apply(
        layers.multiply(),
        through(x, shapeKeeping(shapeOf(x), draw)),
        through(x, layers.dense({ units: shapeOf(x).at(-1)!, activation: 'sigmoid' })),
      ),
  },
  shared: shared(any, shapeKeeping),
  sharedNorm: shared(any, (_shape, draw) => batchNorm(draw)),
  nested: {
    fits: any,
    weight: 1,
    build(x, draw) {
      const input = tfl.input({ shape: shapeOf(x) });
      const body = through(input, shapeKeeping(shapeOf(x), draw), shapeKeeping(shapeOf(x), draw));
      const inner = tfl.model({ inputs: input, outputs: draw.flag() ? apply(layers.add(), body, input) : body });
      return draw.flag() ? (inner.apply(x) as Tensor) : (inner.apply(inner.apply(x)) as Tensor);
    },
  },
};

/** Everything that decides a network, its weights and its inputs. */
export interface NetworkSpec {
  readonly input: 'vector' | 'sequence' | 'image' | 'tokens';
  readonly second: boolean;
  readonly blocks: readonly { readonly kind: string; readonly seed: number }[];
  readonly loss: 'softmaxCrossEntropy' | 'categoricalCrossentropy' | 'sigmoidCrossEntropy' | 'meanSquaredError';
  readonly samples: number;
  readonly seed: number;
}

const kinds = Object.entries(blocks).map(([kind, { weight }]) => ({ weight, arbitrary: fc.constant(kind) }));

export const networkSpec: fc.Arbitrary<NetworkSpec> = fc.record({
  input: fc.constantFrom('vector', 'sequence', 'image', 'image', 'tokens'),
  second: fc.integer({ min: 0, max: 3 }).map((i) => i === 0),
  blocks: fc.array(fc.record({ kind: fc.oneof(...kinds), seed: fc.nat(1e6) }), {
    minLength: 2,
    maxLength: 9,
    size: 'max',
  }),
  loss: fc.constantFrom('softmaxCrossEntropy', 'categoricalCrossentropy', 'sigmoidCrossEntropy', 'meanSquaredError'),
  samples: fc.integer({ min: 1, max: 4 }),
  seed: fc.nat(1e6),
});

function drawFrom(seed: number): Draw {
  let state = seed;
  const below = (n: number) => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  return { below, flag: () => below(2) === 0, of: (...choices) => choices[below(choices.length)]! };
}

const shapes = { vector: [4], sequence: [4, 3], image: [4, 4, 2], tokens: [4] };
const TOKENS = 5;

export interface RandomNetwork {
  readonly model: tfl.LayersModel;
  readonly inputs: tf.Tensor[];
  /** The blocks that found a tensor that they fit. */
  readonly used: readonly string[];
}

/** Builds what a spec describes, with weights that are nowhere 0. The caller disposes the inputs and all variables. */
export function buildNetwork({ input, second, blocks: parts, loss, samples, seed }: NetworkSpec): RandomNetwork {
  const used: string[] = [];
  const draw = drawFrom(seed);
  const start = tfl.input({ shape: shapes[input], dtype: input === 'tokens' ? 'int32' : 'float32' });
  const inputs = [start];
  let x = start;
  if (input === 'tokens') {
    used.push('embedding');
    x = apply(layers.embedding({ inputDim: TOKENS, outputDim: 3, trainable: draw.below(4) > 0 }), x);
  }
  const earlier = [x];
  for (const { kind, seed: own } of parts) {
    const { fits, build } = blocks[kind]!;
    const size = shapeOf(x).reduce((a, b) => a * b, 1);
    if (!fits(shapeOf(x)) || size > 150) {
      continue;
    }
    used.push(kind);
    x = build(x, drawFrom(own), earlier);
    earlier.push(x);
  }
  if (shapeOf(x).length > 1) {
    x = apply(layers.flatten(), x);
  }
  if (second) {
    used.push('second input');
    const other = tfl.input({ shape: [3] });
    inputs.push(other);
    const branch = draw.flag() ? other : apply(layers.dense({ units: 2, activation: 'relu' }), other);
    x = apply(layers.concatenate(), x, branch);
  }
  const activation = loss === 'categoricalCrossentropy' ? 'softmax' : draw.of<'linear' | 'relu'>('linear', 'relu');
  const end = loss === 'meanSquaredError' || activation === 'softmax' ? activation : 'linear';
  // An end that needs nothing more than a layer, or several, so that the last scale is not always free.
  x = apply(layers.dense({ units: 3, activation: end, trainable: draw.below(6) > 0 }), x);
  const model = tfl.model({ inputs, outputs: x });

  model.weights.forEach((weight, i) => {
    const shape = weight.shape as number[];
    const kind = weight.originalName.slice(weight.originalName.lastIndexOf('/') + 1);
    const values = lcg(
      seed + i,
      shape.reduce((a, b) => a * b, 1),
    );
    const fanIn = shape.slice(0, -1).reduce((a, b) => a * b, 1);
    const of: Readonly<Record<string, (u: number) => number>> = {
      gamma: (u) => 0.5 + u,
      moving_variance: (u) => 0.5 + u,
      moving_mean: (u) => (u < 0.5 ? u - 0.8 : u - 0.2),
      bias: (u) => (u < 0.5 ? u - 0.6 : u - 0.4),
      beta: (u) => (u < 0.5 ? u - 0.6 : u - 0.4),
      alpha: (u) => u - 0.3,
    };
    const value = of[kind] ?? ((u: number) => (2 * u - 1) * Math.sqrt(6 / Math.max(2, fanIn)));
    tf.tidy(() => {
      weight.write(tf.tensor(values.map(value), shape));
    });
    // One weight alone may be frozen, too.
    if (draw.below(15) === 0) {
      weight.trainable = false;
    }
  });

  const tensors = inputs.map((symbol, i) => {
    const shape = [samples, ...shapeOf(symbol)];
    const tokens = i === 0 && input === 'tokens';
    const values = lcg(
      seed + 7919 * (i + 1),
      shape.reduce((a, b) => a * b, 1),
    ).map((u) => (tokens ? Math.floor(TOKENS * u) : 2 * u - 1));
    return tf.tensor(values, shape, tokens ? 'int32' : 'float32');
  });
  return { model, inputs: tensors, used };
}
