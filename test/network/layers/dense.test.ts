import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { checkLayers, one, operationsOf, traitsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  Dense: [
    one('dense', () => layers.dense({ units: 4, biasInitializer: 'randomNormal' }), [[5]]),
    one('dense without bias', () => layers.dense({ units: 4, useBias: false }), [[5]]),
    one('dense on a sequence', () => layers.dense({ units: 4, activation: 'relu' }), [[3, 5]], {
      plain: plain.dense,
      alsoTwice: true,
    }),
    one('dense, tanh', () => layers.dense({ units: 4, activation: 'tanh' }), [[5]]),
    one('dense, softmax', () => layers.dense({ units: 4, activation: 'softmax' }), [[5]]),
  ],
});

it('a dense layer knows the norms of a vector from two numbers', () => {
  const [linear] = operationsOf(layers.dense({ units: 2 }), [3]);
  tf.tidy(() => {
    const [x, delta] = [tf.tensor2d([[1, 2, 3]]), tf.tensor2d([[4, 5]])];
    const { saved } = linear!.forward([x]);
    const norms = linear!.squaredNorms!([{ saved, inputShapes: [x.shape], delta }], 1);
    const found = norms.map((norm) => norm!.dataSync()[0]! / 41);
    expect(found[0]).toBeCloseTo(14, 4);
    expect(found[1]).toBeCloseTo(1, 5);
  });
  expect(linear!.squaredNormsOfVector!(14, 41)).toEqual([14 * 41, 41]);
  const [withoutBias] = operationsOf(layers.dense({ units: 2, useBias: false }), [3]);
  expect(withoutBias!.squaredNormsOfVector!(14, 41)).toEqual([14 * 41]);
});

it('its activation is an operation of its own', () => {
  expect(traitsOf(layers.dense({ units: 2, activation: 'tanh' }), [3])).toEqual([
    'Dense, affine, kernel, bias',
    'tanh activation, pins',
  ]);
});
