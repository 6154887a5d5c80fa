import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { isAboveZero, whereAboveZero } from '../../tfjs/mended-operations.js';
import { multiplyEachColumn } from './columns.js';
import { callLayer, measuredAsWhole, throughTfjs } from './generic.js';
import type { Layer, Operation, Owner } from './operation.js';
import { alongSamples, type LayerRule, type ParameterOf } from './rule.js';
import { bySlope, bySwitch, spread } from './sensitivity.js';

/** An activation as tf.js' layers hold it. */
export interface ActivationFunction {
  getClassName(): string;
  apply(x: tf.Tensor, axis?: number): tf.Tensor;
}

type Elementwise = Pick<Operation, 'scale' | 'piecewiseLinear' | 'differentiable' | 'monotone'>;

/** Elementwise activations by the name of their class in tf.js. */
const elementwiseActivations: Readonly<Record<string, Elementwise>> = {
  relu: { scale: 'ties', piecewiseLinear: true, differentiable: 'selects', monotone: true },
  relu6: { scale: 'pins', piecewiseLinear: true, differentiable: 'selects', monotone: true },
  hardSigmoid: { scale: 'pins', piecewiseLinear: true },
  hardSigmoidOfKeras3: { scale: 'pins', piecewiseLinear: true },
  hardSilu: { scale: 'pins', piecewiseLinear: false },
  elu: { scale: 'pins', piecewiseLinear: false },
  selu: { scale: 'pins', piecewiseLinear: false },
  sigmoid: { scale: 'pins', piecewiseLinear: false, differentiable: 'smooth' },
  softplus: { scale: 'pins', piecewiseLinear: false },
  softsign: { scale: 'pins', piecewiseLinear: false },
  tanh: { scale: 'pins', piecewiseLinear: false, differentiable: 'smooth' },
  gelu: { scale: 'pins', piecewiseLinear: false },
  gelu_new: { scale: 'pins', piecewiseLinear: false },
  mish: { scale: 'pins', piecewiseLinear: false },
  swish: { scale: 'pins', piecewiseLinear: false },
};

/** sigmoid(x) sigmoid(-x): y (1 - y) would lose its digits where y rounds to 1. */
const sigmoidDerivative = (x: tf.Tensor) => tf.mul(tf.sigmoid(x), tf.sigmoid(tf.neg(x)));

/** f'(x), from x or y = f(x). */
type Derivative = (x: tf.Tensor, y: () => tf.Tensor) => tf.Tensor;

/** Derivatives that are cheaper or more precise than what tf.js makes of the function. */
const derivatives: Readonly<Record<string, Derivative>> = {
  relu: (_x, y) => isAboveZero(y()),
  sigmoid: sigmoidDerivative,
  tanh: (x) => tf.mul(sigmoidDerivative(tf.mul(x, 2)), 4),
};

/**
 * What an activation does to scales: `'ties'` where f(c x) = c f(x) for every c > 0. Undefined for one that nothing is known of,
 * such as a function that a user registered.
 *
 * @param f may be a layer of its own.
 */
export function scaleOfActivation(f: ActivationFunction): 'ties' | 'pins' | undefined {
  const name = f.getClassName();
  if (name === 'linear') {
    return 'ties';
  }
  if (Object.hasOwn(activationLayers, name)) {
    const layer = f as unknown as Layer;
    return activationLayers[name](layer, layer)[0].scale as 'ties' | 'pins';
  }
  const known = elementwiseActivations[name]?.scale as 'ties' | 'pins' | undefined;
  return known ?? (name === 'softmax' || name === 'logSoftmax' ? 'pins' : undefined);
}

/** What tf.js makes of a function. */
const gradientOf = (f: (x: tf.Tensor) => tf.Tensor): ((x: tf.Tensor) => tf.Tensor) => {
  const gradient = tf.grad(f);
  return (x) => gradient(x);
};

/** f' of an activation that works element by element; null for others. */
export function derivativeOf(f: ActivationFunction): ((x: tf.Tensor) => tf.Tensor) | null {
  const name = f.getClassName();
  if (name === 'linear') {
    return tf.onesLike;
  }
  if (!elementwiseActivations[name]) {
    return null;
  }
  const apply = (x: tf.Tensor) => f.apply(x);
  const derivative = derivatives[name];
  return derivative ? (x) => derivative(x, () => apply(x)) : gradientOf(apply);
}

/** y = f(x), element by element: the delta is multiplied by f'(x), which is all that is kept of the forward pass. */
function elementwise(
  layer: Layer,
  description: string,
  f: (x: tf.Tensor) => tf.Tensor,
  properties: Elementwise & { activation?: string },
  derivative: Derivative = gradientOf(f),
): Operation {
  return {
    layer,
    description,
    parameters: [],
    ...properties,
    forward([x], recording = true) {
      const output = f(x);
      return { output, saved: recording ? [derivative(x, () => output)] : [] };
    },
    backward: ({ saved }, delta, columns) => [multiplyEachColumn(delta, saved[0], columns)],
    byColumn: { backward: ({ saved }, delta) => tf.mul(delta, saved[0]) },
    ...(properties.activation === 'relu' && {
      singly: {
        forward([x]) {
          const output = f(x);
          return { output, saved: [output] };
        },
        backward: ({ saved: [y] }, delta) => [whereAboveZero(delta, y)],
      },
    }),
    sensitivity: properties.activation === 'relu' ? bySwitch : bySlope,
    ...(properties.piecewiseLinear && {
      onPieceOf: ({ saved: [slope] }, [recorded], [x]) => tf.add(f(recorded), tf.mul(slope, tf.sub(x, recorded))),
    }),
  };
}

/**
 * Softmax over the last axis, p = f(x): the delta is p (d - <d, p>).
 *
 * @param usesMask whether f takes the mask that is handed to the layer.
 */
function softmax(
  layer: Layer,
  description: string,
  f: (x: tf.Tensor, mask?: tf.Tensor) => tf.Tensor,
  usesMask: boolean,
): Operation {
  return {
    layer,
    description,
    scale: 'pins',
    piecewiseLinear: false,
    differentiable: 'smooth',
    activation: 'softmax',
    parameters: [],
    usesMask,
    forward([x], _recording, mask) {
      const p = f(x, mask);
      return { output: p, saved: [p] };
    },
    backward({ saved: [p] }, delta, columns) {
      const classes = p.shape[p.rank - 1];
      const d = tf.reshape(delta, [columns, -1, classes]);
      const byRow = tf.reshape(p, [1, -1, classes]);
      const centred = tf.sub(d, tf.sum(tf.mul(d, byRow), 2, true));
      return [tf.reshape(tf.mul(centred, byRow), delta.shape)];
    },
    // d p_i / d x_j = p_i ([i = j] - p_j): p_i^2 [(1 - p_i)^2 q_i + sum_{j != i} p_j^2 q_j].
    sensitivity: {
      through([given], { inputs: [x], output: p }) {
        if (!given) {
          return null;
        }
        const q = spread(given, x.shape);
        const squares = tf.square(p);
        const ofAll = tf.sum(tf.mul(squares, q), -1, true);
        const own = tf.mul(q, tf.sub(1, tf.mul(p, 2)));
        return tf.mul(squares, tf.relu(tf.add(own, ofAll)));
      },
    },
  };
}

/** What tf.js adds in front of the softmax of a layer with a mask, for whoever takes z from there: -1e9 at masked positions. */
export function maskedLogits(layer: Owner): Operation {
  return {
    layer,
    description: 'mask of Softmax',
    scale: 'pins',
    piecewiseLinear: true,
    differentiable: 'smooth',
    parameters: [],
    usesMask: true,
    forward: ([x], _recording, mask) => ({
      output: mask ? tf.add(x, tf.mul(tf.sub(1, tf.cast(mask, x.dtype)), -1e9)) : x,
      saved: [],
    }),
    backward: (_call, delta) => [delta],
    sensitivity: { through: ([q]) => q && tf.clone(q) },
  };
}

function activation(layer: Layer, f: ActivationFunction): Operation[] {
  const name = f.getClassName();
  if (name === 'linear') {
    return [];
  }
  const description = `${name} activation`;
  const known = elementwiseActivations[name];
  if (known) {
    return [elementwise(layer, description, (x) => f.apply(x), { ...known, activation: name }, derivatives[name])];
  }
  if (name === 'softmax') {
    return [softmax(layer, description, (x) => f.apply(x), false)];
  }
  if (Object.hasOwn(activationLayers, name)) {
    return activationLayers[name](layer, f as unknown as Layer);
  }
  // Log-softmax, and functions that a user registered: nothing is known of their structure.
  const properties = { scale: 'pins', piecewiseLinear: false, activation: name } as const;
  const operation = throughTfjs(layer, description, ([x]) => f.apply(x), properties);
  return [{ ...operation, scaleUnknown: scaleOfActivation(f) === undefined }];
}

/** The operations of a layer's own `activation` setting. */
export function activationOf(layer: Layer): Operation[] {
  const f = (layer as Layer & { activation?: ActivationFunction | null }).activation;
  return f ? activation(layer, f) : [];
}

/**
 * A layer of kernels one after the other, a bias and an activation, measured as a whole: scale moves between its kernels, and
 * out of it where the activation passes it on.
 */
export function kernelsAsWhole(
  layer: Layer,
  kernels: readonly LayerVariable[],
  bias: LayerVariable | null,
  parameter: ParameterOf,
): Operation[] {
  const { activation: f } = layer as Layer & { activation?: ActivationFunction | null };
  const scale = f ? scaleOfActivation(f) : 'ties';
  const output = scale === 'ties' ? 'output' : undefined;
  const between = (i: number) => `${i} kernels`;
  const parameters = kernels.map((kernel, i) =>
    parameter(kernel, 'kernel', { from: between(i), to: i === kernels.length - 1 ? output : between(i + 1) }),
  );
  const all = bias ? [...parameters, parameter(bias, 'bias', { to: output })] : parameters;
  const whole = measuredAsWhole(layer, { inputs: [between(0)], output }, all);
  return [{ ...whole, matrices: parameters, scaleUnknown: scale === undefined }];
}

/** The Activation layer. */
export const activationLayer: LayerRule = activationOf;

/** Operations of a layer that is an activation, in the name of its owner: of itself, or of the layer whose `activation` it is. */
type ActivationLayer = (owner: Layer, layer: Layer) => Operation[];

/** ReLU layer, with an upper bound where `maxValue` is set. */
const relu: ActivationLayer = (owner, layer) => {
  const { maxValue } = layer as Layer & { maxValue?: number | null };
  if (maxValue === undefined || maxValue === null) {
    return activation(owner, { getClassName: () => 'relu', apply: tf.relu });
  }
  const clipped = (x: tf.Tensor) => tf.clipByValue(tf.relu(x), 0, maxValue);
  return [elementwise(owner, `ReLU up to ${maxValue}`, clipped, elementwiseActivations.relu6)];
};

/** f(x) = x where positive, alpha x where negative. Homogeneous like ReLU. */
const leakyRelu: ActivationLayer = (owner, layer) => {
  const { alpha } = layer as Layer & { alpha: number };
  const properties = { ...elementwiseActivations.relu, monotone: alpha >= 0 };
  return [elementwise(owner, 'LeakyReLU', (x) => tf.leakyRelu(x, alpha), properties)];
};

const elu: ActivationLayer = (owner) => activation(owner, { getClassName: () => 'elu', apply: tf.elu });

/** f(x) = x above theta, 0 below. */
const thresholdedRelu: ActivationLayer = (owner, layer) => {
  const { theta } = layer as Layer & { theta: number };
  // tf.js has no gradient for comparisons.
  const derivative = (x: tf.Tensor) => tf.cast(tf.greater(x, theta), 'float32');
  const f = (x: tf.Tensor) => tf.mul(x, derivative(x));
  const scale = theta === 0 ? 'ties' : 'pins';
  return [elementwise(owner, 'ThresholdedReLU', f, { scale, piecewiseLinear: true }, derivative)];
};

/** Softmax over one axis, which tf.js has for the last one only, or over several. Only a layer of its own gets a mask. */
const softmaxOverAxes: ActivationLayer = (owner, layer) => {
  const axes = [(layer as Layer & { axis: number | number[] }).axis].flat();
  const f = (x: tf.Tensor, mask?: tf.Tensor) => callLayer(layer, [x], owner === layer ? mask : undefined);
  if (axes.length === 1) {
    return [softmax(owner, 'Softmax', f, owner === layer)];
  }
  if (axes.includes(0)) {
    throw alongSamples(owner);
  }
  return [throughTfjs(owner, 'Softmax', ([x], mask) => f(x, mask), { scale: 'pins', piecewiseLinear: false })];
};

/** By their class. A Keras model may hold them as the `activation` of another layer. */
const activationLayers: Readonly<Record<string, ActivationLayer>> = {
  ReLU: relu,
  LeakyReLU: leakyRelu,
  ELU: elu,
  ThresholdedReLU: thresholdedRelu,
  Softmax: softmaxOverAxes,
};

const ofItself =
  (rule: ActivationLayer): LayerRule =>
  (layer) =>
    rule(layer, layer);

export const reluLayer = ofItself(relu);
export const leakyReluLayer = ofItself(leakyRelu);
export const eluLayer = ofItself(elu);
export const thresholdedReluLayer = ofItself(thresholdedRelu);
export const softmaxLayer = ofItself(softmaxOverAxes);
