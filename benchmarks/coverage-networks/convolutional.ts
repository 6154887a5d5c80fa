import * as tf from '@tensorflow/tfjs';
import { type Head, lossOf } from './dense.js';
import type { BuiltNetwork, CoverageNetwork } from './network.js';
import { amplify, normal, putToSleep, setRandomWeights } from './rare-units.js';

const { dense, conv1d, conv2d, depthwiseConv2d, activation, batchNormalization, flatten } = tf.layers;
const SAMPLES = 1500;
const SIDE = 8;
const CHANNELS = 6;
const RARE = [0, 1];

interface Setting {
  readonly head: Head;
  readonly share: number;
  readonly gain: number;
}

/** Layers with two rarely awake channels in `first`, which are made much of in `second`. */
function build(
  layers: tf.layers.Layer[],
  { share, gain }: Setting,
  options: Building = {},
  seed: number,
): BuiltNetwork {
  const { first = 'first', seenIn = first, second = 'second', channels, loss = 'meanSquaredError' } = options;
  const model = tf.sequential({ layers });
  setRandomWeights(model, seed);
  const inputs = normal([SAMPLES, ...(model.inputs[0]!.shape.slice(1) as number[])], seed);
  putToSleep(model, inputs, { layer: first, seenIn, units: RARE, share });
  amplify(model, second, RARE, gain, channels);
  return { model, inputs, options: { loss } };
}

interface Building {
  readonly first?: string;
  readonly seenIn?: string;
  readonly second?: string;
  /** Behind a `flatten`: how many channels come again and again. */
  readonly channels?: number;
  readonly loss?: (typeof lossOf)[Head];
}

const inputShape = [SIDE, SIDE, 1];
const relu = (name?: string) => activation({ activation: 'relu', ...(name && { name }) });
const firstConv = (options: object = {}) =>
  conv2d({ filters: CHANNELS, kernelSize: 3, activation: 'relu', name: 'first', inputShape, ...options });
const secondConv = (options: object = {}) =>
  conv2d({ filters: CHANNELS, kernelSize: 3, activation: 'relu', name: 'second', ...options });
const output = (head: Head) => [flatten(), dense({ units: 3, activation: head, name: 'output' })];

function network(
  name: string,
  setting: Setting,
  layers: (head: Head) => tf.layers.Layer[],
  options: Building = {},
): CoverageNetwork {
  const { head, share } = setting;
  return {
    name: `${name}, ${+(100 * share).toFixed(1)}%, ${head === 'linear' ? 'squared error' : head}`,
    build: (seed) => build(layers(head), setting, { loss: lossOf[head], ...options }, seed),
  };
}

const two = (head: Head) => [firstConv(), secondConv(), ...output(head)];

/** Convolutions on 8 x 8 numbers of one channel. */
export const convolutionalNetworks: readonly CoverageNetwork[] = [
  network('2 convolutions', { head: 'linear', share: 0.002, gain: 60 }, two),
  network('2 convolutions', { head: 'linear', share: 0.01, gain: 60 }, two),
  network('2 convolutions', { head: 'softmax', share: 0.005, gain: 15 }, two),
  network('2 convolutions', { head: 'sigmoid', share: 0.005, gain: 20 }, two),
  network('max pooling between', { head: 'linear', share: 0.005, gain: 60 }, (head) => [
    firstConv({ padding: 'same' }),
    tf.layers.maxPooling2d({ poolSize: 2 }),
    secondConv(),
    ...output(head),
  ]),
  network('average pooling between', { head: 'linear', share: 0.005, gain: 100 }, (head) => [
    firstConv({ padding: 'same' }),
    tf.layers.averagePooling2d({ poolSize: 2 }),
    secondConv(),
    ...output(head),
  ]),
  network('strides and dilation', { head: 'linear', share: 0.005, gain: 60 }, (head) => [
    firstConv({ strides: 2, padding: 'same' }),
    secondConv({ dilationRate: 2, padding: 'same' }),
    ...output(head),
  ]),
  network('depthwise', { head: 'linear', share: 0.005, gain: 60 }, (head) => [
    firstConv(),
    depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, activation: 'relu', name: 'second' }),
    conv2d({ filters: 4, kernelSize: 1, activation: 'relu' }),
    ...output(head),
  ]),
  network(
    'batch normalization that puts to sleep',
    { head: 'linear', share: 0.005, gain: 60 },
    (head) => [
      firstConv({ activation: 'linear', useBias: false, name: 'kernels' }),
      batchNormalization({ name: 'first' }),
      relu('seen'),
      secondConv(),
      ...output(head),
    ],
    { seenIn: 'seen' },
  ),
  network('large gamma behind', { head: 'linear', share: 0.005, gain: 60 }, (head) => [
    firstConv(),
    batchNormalization({ name: 'second' }),
    relu(),
    conv2d({ filters: 4, kernelSize: 3, activation: 'relu' }),
    ...output(head),
  ]),
  network(
    'dense behind',
    { head: 'linear', share: 0.005, gain: 60 },
    (head) => [
      firstConv(),
      flatten(),
      dense({ units: 12, activation: 'relu', name: 'second' }),
      dense({ units: 3, activation: head }),
    ],
    { channels: CHANNELS },
  ),
  network('global average at the end', { head: 'softmax', share: 0.005, gain: 60 }, (head) => [
    firstConv(),
    secondConv(),
    tf.layers.globalAveragePooling2d({}),
    dense({ units: 3, activation: head }),
  ]),
  network('transposed', { head: 'linear', share: 0.005, gain: 60 }, (head) => [
    firstConv({ strides: 2 }),
    conv2d({ filters: CHANNELS, kernelSize: 1, activation: 'relu', name: 'second' }),
    tf.layers.conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2, activation: 'relu' }),
    ...output(head),
  ]),
  network('1D', { head: 'linear', share: 0.005, gain: 60 }, (head) => [
    conv1d({ filters: CHANNELS, kernelSize: 3, activation: 'relu', name: 'first', inputShape: [12, 3] }),
    conv1d({ filters: CHANNELS, kernelSize: 3, activation: 'relu', name: 'second' }),
    ...output(head),
  ]),
  network('a softmax at every position', { head: 'softmax', share: 0.005, gain: 20 }, (head) => [
    conv1d({ filters: CHANNELS, kernelSize: 3, activation: 'relu', name: 'first', inputShape: [10, 3] }),
    conv1d({ filters: CHANNELS, kernelSize: 3, activation: 'relu', name: 'second' }),
    dense({ units: 3, activation: head }),
  ]),
];
