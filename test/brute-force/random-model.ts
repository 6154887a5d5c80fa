import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import { lcg, setGoldenWeights } from '../measure/golden-network.js';
import type { Loss } from './jacobian.js';

export const losses: readonly Loss[] = [
  'categoricalCrossentropy',
  'sparseCategoricalCrossentropy',
  'softmaxCrossEntropy',
  'binaryCrossentropy',
  'sigmoidCrossEntropy',
  'meanSquaredError',
];

const piecewiseLinear = ['linear', 'relu', 'relu6', 'leakyRelu'] as const;
const smooth = ['sigmoid', 'tanh', 'softplus', 'elu', 'softmax'] as const;
/** What keeps its scale when its input is rescaled. */
const homogeneous = ['linear', 'relu', 'leakyRelu'] as const;

type ActivationName = (typeof piecewiseLinear)[number] | (typeof smooth)[number];

/** `asLayer`: a layer of its own, where the layer before could have had it as its `activation`. */
interface Activation {
  readonly name: ActivationName;
  readonly asLayer: boolean;
}

type Pair = readonly [number, number];
interface Weighted {
  readonly bias: boolean;
  readonly activation: Activation;
  readonly trainable: boolean;
}

/** A part of a network. What does not fit the shape that reaches it is adapted or left out (see `extend`). */
export type Block =
  | ({ readonly kind: 'dense'; readonly units: number } & Weighted)
  | ({
      readonly kind: 'conv';
      readonly filters: number;
      readonly kernel: Pair;
      readonly strides: Pair;
      readonly dilation: Pair;
      readonly padding: 'same' | 'valid';
    } & Weighted)
  | {
      readonly kind: 'maxPool' | 'averagePool';
      readonly size: Pair;
      readonly strides: Pair;
      readonly padding: 'same' | 'valid';
    }
  | { readonly kind: 'zeroPadding'; readonly rows: Pair; readonly columns: Pair }
  | { readonly kind: 'batchNorm'; readonly center: boolean; readonly scale: boolean; readonly trainable: boolean }
  | { readonly kind: 'activation'; readonly activation: Activation }
  | { readonly kind: 'flatten' | 'reshape' | 'dropout' | 'globalMax' | 'globalAverage' }
  // f has the shape of x: x + f(x), [x, f(x)], f(f(x)) with the same weights, f(x) as a model within the model.
  | ({ readonly kind: 'residual' | 'concatenate' | 'shared' | 'nested' } & Weighted);

/** Everything that decides a network, its weights and its inputs. */
export interface NetworkSpec {
  readonly inputShape: readonly number[];
  /** As a `tf.sequential`; blocks that branch are then left out. */
  readonly sequential: boolean;
  /** A second input, concatenated before the head (functional models only). */
  readonly secondInput: boolean;
  readonly blocks: readonly Block[];
  readonly loss: Loss;
  readonly outputs: number;
  /** `globalAverage`: a 1 x 1 convolution, averaged, where there is still an image. */
  readonly head: ({ readonly kind: 'dense' } | { readonly kind: 'globalAverage' }) & Weighted;
  /**
   * Factor on the head's kernel: how certain the network is. Not for squared error, which keeps the last activation in
   * the network: float32 has no digits left for the slope y (1 - y) of a sigmoid that is nearly 1.
   */
  readonly gain: number;
  readonly samples: number;
  readonly seed: number;
  /** Pass the loss to `model.compile` instead of to the measurement. */
  readonly compiled: boolean;
}

export interface RandomNetwork {
  readonly model: tfl.LayersModel;
  readonly inputs: tf.Tensor[];
  /** A smooth activation above trainable weights, or trainable weights used twice: Gauss-Newton only. */
  readonly gaussNewtonOnly: boolean;
  /** Neither a smooth activation nor a shared layer anywhere. */
  readonly surelyExact: boolean;
}

const pair = (min: number, max: number) => fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));
const padding = fc.constantFrom('same' as const, 'valid' as const);
const often = (weight: number) => fc.integer({ min: 0, max: weight }).map((i) => i > 0);

function activationAmong(names: readonly ActivationName[]): fc.Arbitrary<Activation> {
  return fc.record({ name: fc.constantFrom(...names), asLayer: fc.boolean() });
}

const anyActivation = fc.oneof(
  { weight: 4, arbitrary: activationAmong(piecewiseLinear) },
  { weight: 1, arbitrary: activationAmong(smooth) },
);
const chainActivation = activationAmong(homogeneous);

function networks(
  activation: fc.Arbitrary<Activation>,
  trainable: fc.Arbitrary<boolean>,
  normalizes: fc.Arbitrary<boolean>,
  graph: boolean,
): fc.Arbitrary<NetworkSpec> {
  const weighted = { bias: fc.boolean(), activation, trainable };
  const dense = fc.record({ kind: fc.constant('dense' as const), units: fc.integer({ min: 1, max: 5 }), ...weighted });
  const conv = fc.record({
    kind: fc.constant('conv' as const),
    filters: fc.integer({ min: 1, max: 3 }),
    kernel: pair(1, 3),
    strides: pair(1, 2),
    dilation: fc.oneof(fc.constant([1, 1] as const), pair(1, 2)),
    padding,
    ...weighted,
  });
  const pool = fc.record({
    kind: fc.constantFrom('maxPool' as const, 'averagePool' as const),
    size: pair(1, 3),
    strides: pair(1, 2),
    padding,
  });
  const zeroPadding = fc.record({ kind: fc.constant('zeroPadding' as const), rows: pair(0, 2), columns: pair(0, 2) });
  const batchNorm = fc.record({
    kind: fc.constant('batchNorm' as const),
    center: normalizes,
    scale: normalizes,
    trainable,
  });
  const own = fc.record({ kind: fc.constant('activation' as const), activation });
  const plain = fc.record({
    kind: fc.constantFrom('flatten', 'reshape', 'dropout', 'globalMax', 'globalAverage'),
  }) as fc.Arbitrary<Block>;
  const branching = fc.record({
    kind: fc.constantFrom('residual' as const, 'concatenate' as const, 'shared' as const, 'nested' as const),
    ...weighted,
  });
  const block = fc.oneof(
    { weight: 4, arbitrary: conv },
    { weight: 2, arbitrary: dense },
    { weight: 3, arbitrary: pool },
    { weight: 1, arbitrary: zeroPadding },
    { weight: 2, arbitrary: batchNorm },
    { weight: 1, arbitrary: own },
    { weight: 2, arbitrary: plain },
    { weight: graph ? 4 : 0, arbitrary: branching },
  ) as fc.Arbitrary<Block>;
  const image = fc.tuple(
    fc.integer({ min: 2, max: 7 }),
    fc.integer({ min: 2, max: 6 }),
    fc.integer({ min: 1, max: 2 }),
  );
  return fc.record({
    inputShape: fc.oneof(
      { weight: 3, arbitrary: image as fc.Arbitrary<number[]> },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 5 }).map((n) => [n]) },
    ),
    sequential: graph ? fc.boolean() : fc.constant(true),
    secondInput: fc.boolean(),
    // `max`: lengths are spread evenly, where the default prefers short ones.
    blocks: fc.array(block, { maxLength: 6, size: 'max' }),
    loss: fc.constantFrom(...losses),
    outputs: fc.integer({ min: 1, max: 4 }),
    head: fc.record({ kind: fc.constantFrom('dense' as const, 'globalAverage' as const), ...weighted }),
    gain: fc.constantFrom(1, 8),
    samples: fc.integer({ min: 1, max: 4 }),
    seed: fc.nat(1e6),
    compiled: fc.boolean(),
  });
}

/** Networks of every kind that the package treats exactly. */
export const anyNetwork = networks(anyActivation, often(5), often(3), true);

/** Chains whose layers can all be rescaled: every weight trainable, every activation homogeneous. */
export const chainNetwork = networks(chainActivation, fc.constant(true), fc.constant(true), false);

type Apply = (layer: tfl.layers.Layer) => void;
type Shape = readonly number[];

const isSmooth = ({ name }: Activation) => (smooth as readonly string[]).includes(name);

function activationLayer({ name }: Activation, seed: number): tfl.layers.Layer {
  // Where tf.js has a layer and an activation of a kind, either may come.
  const own = seed % 2 === 0;
  if (name === 'leakyRelu') {
    return tfl.layers.leakyReLU({ alpha: 0.2 });
  }
  if (name === 'relu' && own) {
    return tfl.layers.reLU();
  }
  if (name === 'relu6' && own) {
    return tfl.layers.reLU({ maxValue: 6 });
  }
  if (name === 'softmax' && own) {
    return tfl.layers.softmax({ axis: -1 });
  }
  return tfl.layers.activation({ activation: name });
}

/** Applies a layer with its activation inside it or behind it. */
function applyActivated(
  apply: Apply,
  activation: Activation,
  seed: number,
  make: (activation: 'linear' | Exclude<ActivationName, 'leakyRelu'>) => tfl.layers.Layer,
): void {
  const inside = !activation.asLayer && activation.name !== 'leakyRelu';
  apply(make(inside ? (activation.name as Exclude<ActivationName, 'leakyRelu'>) : 'linear'));
  if (!inside) {
    apply(activationLayer(activation, seed));
  }
}

/** A layer that keeps the shape: a convolution on images, otherwise a dense layer. */
function shapeKeeping(shape: Shape, { bias, activation, trainable }: Weighted): tfl.layers.Layer {
  const common = { useBias: bias, trainable, activation: activation.name === 'leakyRelu' ? 'relu' : activation.name };
  const channels = shape.at(-1)!;
  return shape.length === 3
    ? tfl.layers.conv2d({ filters: channels, kernelSize: [3, 2], padding: 'same', ...common })
    : tfl.layers.dense({ units: channels, ...common });
}

/** The layers of a block that does not branch, in order, for an input of the given shape. */
function extend(block: Block, shape: Shape, seed: number, apply: Apply): void {
  const [height, width] = shape as [number, number];
  const image = shape.length === 3;
  // A window that is larger than the image would leave nothing.
  const fitting = ([h, w]: Pair, asked: 'same' | 'valid') => (h > height || w > width ? 'same' : asked);
  switch (block.kind) {
    case 'dense':
      applyActivated(apply, block.activation, seed, (activation) =>
        tfl.layers.dense({ units: block.units, useBias: block.bias, trainable: block.trainable, activation }),
      );
      return;
    case 'conv': {
      if (!image) {
        extend({ ...block, kind: 'dense', units: block.filters }, shape, seed, apply);
        return;
      }
      // tf.js has no convolution that is both dilated and strided.
      const dilated = block.dilation.some((d) => d > 1);
      const reach = block.kernel.map((k, i) => (k - 1) * block.dilation[i]! + 1) as [number, number];
      applyActivated(apply, block.activation, seed, (activation) =>
        tfl.layers.conv2d({
          filters: block.filters,
          kernelSize: [...block.kernel],
          strides: dilated ? 1 : [...block.strides],
          dilationRate: [...block.dilation],
          padding: fitting(reach, block.padding),
          useBias: block.bias,
          trainable: block.trainable,
          activation,
        }),
      );
      return;
    }
    case 'maxPool':
    case 'averagePool': {
      if (!image) {
        return;
      }
      const { size, strides, padding } = block;
      const config = { poolSize: [...size] as [number, number], strides: [...strides] as [number, number] };
      const fitted = { ...config, padding: fitting(size, padding) };
      apply(block.kind === 'maxPool' ? tfl.layers.maxPooling2d(fitted) : tfl.layers.averagePooling2d(fitted));
      return;
    }
    case 'zeroPadding':
      if (image) {
        apply(tfl.layers.zeroPadding2d({ padding: [[...block.rows], [...block.columns]] }));
      }
      return;
    case 'batchNorm': {
      const { center, scale, trainable } = block;
      apply(tfl.layers.batchNormalization({ center, scale, trainable }));
      return;
    }
    case 'activation':
      apply(activationLayer(block.activation, seed));
      return;
    case 'flatten':
      if (image) {
        apply(tfl.layers.flatten());
      }
      return;
    case 'reshape':
      apply(tfl.layers.reshape({ targetShape: image ? [width, height, shape[2]!] : [...shape] }));
      return;
    case 'dropout':
      apply(tfl.layers.dropout({ rate: 0.4 }));
      return;
    case 'globalMax':
      if (image) {
        apply(tfl.layers.globalMaxPooling2d({}));
      }
      return;
    case 'globalAverage':
      if (image) {
        apply(tfl.layers.globalAveragePooling2d({}));
      }
      return;
  }
}

/** The same for a block that branches. */
function branch(block: Block, x: tfl.SymbolicTensor): tfl.SymbolicTensor | undefined {
  const shape = x.shape.slice(1) as number[];
  switch (block.kind) {
    case 'residual':
      return tfl.layers
        .add()
        .apply([x, shapeKeeping(shape, block).apply(x) as tfl.SymbolicTensor]) as tfl.SymbolicTensor;
    case 'concatenate':
      // Along the rows of an image, else along the last axis.
      return tfl.layers
        .concatenate({ axis: shape.length === 3 && shape[0]! % 2 === 0 ? 1 : -1 })
        .apply([x, shapeKeeping(shape, block).apply(x) as tfl.SymbolicTensor]) as tfl.SymbolicTensor;
    case 'shared': {
      const layer = shapeKeeping(shape, block);
      return layer.apply(layer.apply(x)) as tfl.SymbolicTensor;
    }
    case 'nested': {
      const input = tfl.input({ shape });
      const output = shapeKeeping(shape, block).apply(input) as tfl.SymbolicTensor;
      return tfl.model({ inputs: input, outputs: output }).apply(x) as tfl.SymbolicTensor;
    }
    default:
      return undefined;
  }
}

/** The head ends in what the loss asks for: softmax, sigmoid, logits or anything. */
function head(spec: NetworkSpec, shape: Shape, apply: Apply): void {
  const { loss, seed } = spec;
  const outputs = Math.max(
    spec.outputs,
    loss.endsWith('ategoricalCrossentropy') || loss === 'softmaxCrossEntropy' ? 2 : 1,
  );
  const { kind, bias, trainable, activation: asked } = spec.head;
  const last: ActivationName = loss.endsWith('ategoricalCrossentropy')
    ? 'softmax'
    : loss === 'binaryCrossentropy'
      ? 'sigmoid'
      : loss === 'meanSquaredError'
        ? asked.name
        : 'linear';
  const activation: Activation = { name: last, asLayer: asked.asLayer };
  const weights = { useBias: bias, trainable };
  if (kind === 'globalAverage' && shape.length === 3) {
    apply(tfl.layers.conv2d({ filters: outputs, kernelSize: 1, ...weights }));
    apply(tfl.layers.globalAveragePooling2d({}));
    if (last !== 'linear') {
      apply(activationLayer(activation, seed));
    }
    return;
  }
  if (shape.length > 1) {
    apply(tfl.layers.flatten());
  }
  applyActivated(apply, activation, seed, (inside) =>
    tfl.layers.dense({ units: outputs, ...weights, activation: inside }),
  );
}

function sequential(spec: NetworkSpec): tfl.LayersModel {
  const model = tfl.sequential();
  // A layer that changes nothing takes the input shape, so that every other layer can be the first.
  model.add(tfl.layers.inputLayer({ inputShape: [...spec.inputShape] }));
  const shape = () => model.outputs[0]!.shape.slice(1) as number[];
  const apply: Apply = (layer) => model.add(layer);
  spec.blocks.forEach((block, i) => {
    extend(block, shape(), spec.seed + i, apply);
  });
  head(spec, shape(), apply);
  return model;
}

function functional(spec: NetworkSpec): tfl.LayersModel {
  const input = tfl.input({ shape: [...spec.inputShape] });
  const inputs = [input];
  let x = input;
  const shape = () => x.shape.slice(1) as number[];
  const apply: Apply = (layer) => {
    x = layer.apply(x) as tfl.SymbolicTensor;
  };
  spec.blocks.forEach((block, i) => {
    const branched = branch(block, x);
    if (branched) {
      x = branched;
    } else {
      extend(block, shape(), spec.seed + i, apply);
    }
  });
  if (spec.secondInput) {
    const second = tfl.input({ shape: [3] });
    inputs.push(second);
    if (x.shape.length > 2) {
      apply(tfl.layers.flatten());
    }
    x = tfl.layers.concatenate().apply([x, second]) as tfl.SymbolicTensor;
  }
  head(spec, shape(), apply);
  return tfl.model({ inputs, outputs: x });
}

/** What each loss is called in `model.compile`: two exist there only as functions. */
function compileLoss(loss: Loss): string | typeof tf.losses.softmaxCrossEntropy {
  if (loss === 'softmaxCrossEntropy') {
    return tf.losses.softmaxCrossEntropy;
  }
  return loss === 'sigmoidCrossEntropy' ? tf.losses.sigmoidCrossEntropy : loss;
}

/** Whether a smooth activation or a shared layer stands where it makes Gauss-Newton differ from the Hessian. */
function curvature(spec: NetworkSpec): Pick<RandomNetwork, 'gaussNewtonOnly' | 'surelyExact'> {
  const blocks = spec.blocks.filter((block) => !spec.sequential || !isBranching(block));
  let trainable = false;
  let gaussNewtonOnly = false;
  let surelyExact = true;
  const meets = (activation: Activation) => {
    if (!isSmooth(activation)) {
      return;
    }
    surelyExact = false;
    if (trainable) {
      gaussNewtonOnly = true;
    }
  };
  for (const block of blocks) {
    if (block.kind === 'batchNorm') {
      trainable ||= block.trainable && (block.center || block.scale);
    }
    if ('bias' in block) {
      trainable ||= block.trainable;
    }
    if (block.kind === 'shared') {
      surelyExact = false;
      if (block.trainable) {
        gaussNewtonOnly = true;
      }
    }
    if ('activation' in block) {
      meets(block.activation);
    }
  }
  trainable ||= spec.head.trainable;
  if (spec.loss === 'meanSquaredError') {
    meets(spec.head.activation);
  }
  return { gaussNewtonOnly, surelyExact };
}

export function isBranching(block: Block): boolean {
  return ['residual', 'concatenate', 'shared', 'nested'].includes(block.kind);
}

/** Builds what a spec describes. The caller disposes the inputs and the variables (the model cannot: tf.js counts a
 * shared layer's uses wrongly). */
export function buildNetwork(spec: NetworkSpec): RandomNetwork {
  const model = spec.sequential ? sequential(spec) : functional(spec);
  setGoldenWeights(model, spec.seed);
  if (spec.loss !== 'meanSquaredError') {
    const kernel = model.layers.findLast((layer) => layer.weights.length > 0)!.weights[0]!;
    tf.tidy(() => {
      kernel.write(tf.mul(kernel.read(), spec.gain));
    });
  }
  if (spec.compiled) {
    model.compile({ optimizer: 'sgd', loss: compileLoss(spec.loss) as string });
  }
  const inputs = model.inputs.map((symbol, i) => {
    const shape = [spec.samples, ...(symbol.shape.slice(1) as number[])];
    const numbers = lcg(
      spec.seed + 7919 * (i + 1),
      shape.reduce((a, b) => a * b, 1),
    );
    return tf.tensor(
      numbers.map((u) => (u - 0.5) * 2),
      shape,
    );
  });
  return { model, inputs, ...curvature(spec) };
}
