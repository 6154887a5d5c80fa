import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { measuredAsWhole, registerLayerRule } from '../../src/layers.js';
import { backendAssumptions, symmetryAssumptions } from '../../src/measure/assumptions.js';
import { unfold } from '../../src/network/graph.js';
import { scaleSymmetry } from '../../src/symmetry/scale-symmetry.js';

const { layers } = tfl;
type Layer = tfl.layers.Layer;

const dense = (name: string, trainable = true) => layers.dense({ name, units: 3, activation: 'relu', trainable });

function assumptionsOf(inputShape: number[], ...stack: Layer[]): string[] {
  const model = tfl.sequential({ layers: [layers.inputLayer({ inputShape }), ...stack] });
  const graph = unfold(model);
  return symmetryAssumptions(graph, scaleSymmetry(graph));
}

test('a plain chain takes nothing for granted', () => {
  expect(assumptionsOf([3], dense('a'), dense('b'))).toEqual([]);
});

test('one sentence says that no scale is free', () => {
  expect(assumptionsOf([3], dense('a'))).toEqual([
    'No layers can exchange scale here, so Minimum Sharpness is the plain trace; describeSymmetries(model) says why.',
  ]);
});

test('frozen weights, with every layer once', () => {
  expect(assumptionsOf([3], dense('a', false), dense('b'), dense('c'), dense('d', false))).toEqual([
    "The frozen weights of 'a' and 'd' are left out, and no scale is moved into them; countFrozen: true counts them.",
  ]);
});

test('the two kinds of normalization', () => {
  const stack = [dense('a'), layers.batchNormalization({ name: 'batch' }), layers.layerNormalization({ name: 'row' })];
  expect(assumptionsOf([3], ...stack, dense('b'))).toEqual([
    expect.stringMatching(/^Batch normalization \('batch'\) is measured as in inference, .* count less\.$/),
    expect.stringMatching(/^Normalization \('row'\) takes away the scale of its input: .* need not count\.$/),
  ]);
});

test('weights that take no part', () => {
  const rnn = layers.simpleRNN({ name: 'rnn', units: 2, recurrentInitializer: 'glorotUniform' });
  expect(assumptionsOf([3, 2], layers.prelu({ name: 'slopes' }), rnn, dense('a'), dense('b'))).toEqual([
    "Weights of 'slopes' and 'rnn/recurrent_kernel' take no part in the rescaling: their trace counts as it is.",
  ]);
});

test('a backend that applies the weights of a batch normalization along another axis', () => {
  const normalization = (axis: number) => layers.batchNormalization({ name: `axis_${axis}`, axis });
  const stack = [layers.inputLayer({ inputShape: [4, 3] }), normalization(1), normalization(2)];
  const said = backendAssumptions(unfold(tfl.sequential({ layers: stack })));
  const backend = tf.getBackend();
  expect(said).toEqual(
    ['cpu', 'wasm'].includes(backend)
      ? [
          `On the ${backend} backend tf.js applies the weights of 'axis_1' along another axis than the layer's: what is measured ` +
            "is the function that it computes there. Other backends compute the layer's own.",
        ]
      : [],
  );
});

class Opaque extends layers.Layer {
  static className = 'OpaqueOfAssumptions';
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return Array.isArray(inputs) ? inputs[0]! : inputs;
  }
}

test('layers of which nothing is known, unless no scale can reach them', () => {
  const opaque = (name: string) => new Opaque({ name });
  expect(assumptionsOf([3], opaque('in_front'), dense('a'), dense('b'))).toEqual([]);
  expect(assumptionsOf([3], dense('a', false), opaque('behind'), dense('b'), dense('c'))).toEqual([
    expect.stringMatching(/^The frozen weights/),
  ]);
  expect(assumptionsOf([3], opaque('in_front'), dense('a'), dense('b'), opaque('between'), opaque('end'))).toEqual([
    expect.stringMatching(
      /^Nothing is known of the scales in 'between' and 'end': Minimum Sharpness is not invariant where .+ registerLayerRule of tfjs-sharpness\/layers says what becomes of scales\.$/,
    ),
  ]);
  registerLayerRule('OpaqueOfAssumptions', (layer) => [measuredAsWhole(layer, { inputs: ['x'], output: 'x' })]);
  expect(assumptionsOf([3], dense('a'), opaque('known'), dense('b'))).toEqual([
    "That the scales named in the rule of 'known' leave the function unchanged is taken on trust.",
  ]);
  const cell = [2, 3].map((units) =>
    layers.simpleRNNCell({ units, activation: 'relu', recurrentInitializer: 'glorotUniform' }),
  );
  expect(assumptionsOf([3, 2], layers.rnn({ cell, name: 'stack' }) as Layer, dense('a'), dense('b'))).toEqual([
    expect.stringMatching(
      /^Measured as a whole: 'stack'\. Minimum Sharpness is not invariant where .+ an exact rule\.$/,
    ),
  ]);
});
