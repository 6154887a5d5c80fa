import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { frobeniusNorm, pathNorm } from '../../src/measures.js';
import { smallNetwork } from './small-network.js';

it('the path norm is the sum over all paths, and does not change when layers are rescaled', () => {
  const { model, weights, plain, rescale, widths } = smallNetwork();
  const values = plain();
  // Every path by itself: begin at an input or at a bias, and walk to an output.
  let sum = 0;
  const walk = (layer: number, unit: number, product: number): void => {
    if (layer === 3) {
      sum += product ** 2;
      return;
    }
    for (let next = 0; next < widths[layer + 1]!; next++) {
      walk(layer + 1, next, product * values[2 * layer]![unit * widths[layer + 1]! + next]!);
    }
  };
  for (let input = 0; input < widths[0]!; input++) {
    walk(0, input, 1);
  }
  for (let layer = 0; layer < 3; layer++) {
    values[2 * layer + 1]!.forEach((bias, unit) => {
      walk(layer + 1, unit, bias);
    });
  }
  const network = (input: tf.Tensor) => model.apply(input) as tf.Tensor;
  const { numTensors } = tf.memory();
  const found = pathNorm(network, weights, [3]);
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(plain()).toEqual(values);
  expect(found / Math.sqrt(sum)).toBeCloseTo(1, 5);
  const frobenius = frobeniusNorm(weights);
  expect(frobenius).toBeCloseTo(Math.hypot(...values.flat()), 4);
  rescale();
  expect(pathNorm(network, weights, [3]) / found).toBeCloseTo(1, 5);
  expect(frobeniusNorm(weights) / frobenius).toBeGreaterThan(1.5);
});

it('networks whose squared weights give no paths are refused, and get their weights back', () => {
  const { weights, plain } = smallNetwork();
  const values = plain();
  expect(() => pathNorm((input) => tf.neg(input), weights, [3])).toThrow(
    /^pathNorm: outputs of squared weights must be .*\.$/,
  );
  expect(plain()).toEqual(values);
});

it.each(['softmax', 'sigmoid', 'tanh'] as const)('networks that end with a %s are refused', (activation) => {
  const { model, weights, plain } = smallNetwork();
  weights[5]!.assign(tf.tensor1d([4, 0.1])); // also where a softmax does not move
  const values = plain();
  const end = { softmax: tf.softmax, sigmoid: tf.sigmoid, tanh: tf.tanh }[activation];
  const { numTensors } = tf.memory();
  expect(() => pathNorm((input) => end(model.apply(input) as tf.Tensor), weights, [3])).toThrow(
    /^pathNorm: the outputs are no sums of paths, .*\.$/,
  );
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(plain()).toEqual(values);
});

it('max pooling, and networks without a way through, are sums of paths', () => {
  const kernel = tf.variable(tf.tensor4d([1, 2, 3, 4], [2, 2, 1, 1]));
  const pooled = (input: tf.Tensor) =>
    tf.maxPool(tf.conv2d(input as tf.Tensor4D, kernel as tf.Tensor4D, 1, 'valid'), 2, 2, 'valid');
  expect(pathNorm(pooled, [kernel], [5, 5, 1])).toBeCloseTo(Math.sqrt(4 * 30), 4);
  kernel.assign(tf.zeros([2, 2, 1, 1]));
  expect(pathNorm(pooled, [kernel], [5, 5, 1])).toBe(0);
  kernel.dispose();
});

it('the Frobenius norm counts a layer that two models share once', () => {
  const { layers } = tfl;
  const shared = layers.dense({ units: 3, inputShape: [2], kernelInitializer: tfl.initializers.heNormal({ seed: 1 }) });
  const [one, other] = [2, 4].map((units) => tfl.sequential({ layers: [shared, layers.dense({ units })] }));
  const both = [...one!.trainableWeights, ...other!.trainableWeights];
  const each = [...new Set(both)].map((weight) => Array.from(weight.read().dataSync()));
  expect(each).toHaveLength(6);
  expect(frobeniusNorm(both)).toBeCloseTo(Math.hypot(...each.flat()), 5);
  one!.dispose();
  other!.layers[1]!.dispose();
});

it.each([1e-24, 1e20])('the Frobenius norm of weights of %d is in range, though their squares are not', (size) => {
  const weights = [
    [3, -4],
    [0, 12],
  ].map((values) => tf.variable(tf.tensor1d(values.map((each) => each * size))));
  const { numTensors } = tf.memory();
  expect(frobeniusNorm(weights) / size).toBeCloseTo(13, 4);
  expect(tf.memory().numTensors).toBe(numTensors);
  tf.dispose(weights);
});

/** Two hidden layers, of one activation. */
function networkOf(activation: 'relu' | 'elu' | 'swish' | 'softplus', trainable = true) {
  const { layers, initializers } = tfl;
  const dense = (seed: number, more: object) =>
    layers.dense({
      kernelInitializer: initializers.heNormal({ seed }),
      biasInitializer: initializers.randomNormal({ stddev: 0.3, seed: seed + 9 }),
      ...more,
    } as never);
  const model = tfl.sequential({
    layers: [
      dense(1, { name: 'first', units: 6, activation, inputShape: [5], trainable }),
      dense(2, { units: 4, activation }),
      dense(3, { units: 3 }),
    ],
  });
  return { model, network: (input: tf.Tensor) => model.apply(input) as tf.Tensor };
}

it('the path norm counts frozen weights, and refuses to leave out what the network reads', () => {
  const all = networkOf('relu');
  const right = pathNorm(all.network, all.model.trainableWeights, [5]);
  const { model, network } = networkOf('relu', false);
  expect(pathNorm(network, model.weights, [5])).toBe(right);
  const values = model.getWeights().map((weight) => Array.from(weight.dataSync()));
  const { numTensors } = tf.memory();
  expect(() => pathNorm(network, model.trainableWeights, [5])).toThrow(
    /^pathNorm: the network reads 'first\/kernel.*', which is not among the weights: .*model\.weights\.$/,
  );
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(model.getWeights().map((weight) => Array.from(weight.dataSync()))).toEqual(values);
  all.model.dispose();
  model.dispose();
});

it('the path norm takes activations that are straight above 0, and refuses those that bend, hidden ones too', () => {
  const [relu, elu] = [networkOf('relu'), networkOf('elu')];
  const right = pathNorm(relu.network, relu.model.weights, [5]);
  expect(pathNorm(elu.network, elu.model.weights, [5]) / right).toBeCloseTo(1, 6);
  for (const activation of ['swish', 'softplus'] as const) {
    const { model, network } = networkOf(activation);
    expect(() => pathNorm(network, model.weights, [5])).toThrow(/^pathNorm: the outputs are no sums of paths, .*\.$/);
    model.dispose();
  }
  relu.model.dispose();
  elu.model.dispose();
});

it('the path norm takes the larger of two sums of paths, which bends upwards', () => {
  const [steep, offset] = [4, 3].map((value) => tf.variable(tf.scalar(value))) as [tf.Variable, tf.Variable];
  // Of squared weights: the larger of 16 x and 9 is 9, 16 and 32.
  const network = (input: tf.Tensor) => tf.maximum(tf.mul(input, steep), offset);
  expect(pathNorm(network, [steep, offset], [1])).toBeCloseTo(4, 5);
  tf.dispose([steep, offset]);
});
