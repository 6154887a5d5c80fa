import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { copyWeights } from '../../src/tfjs/saved-weights.js';

it('puts all weights back, bit for bit, and leaves no tensor', () => {
  const model = tfl.sequential({
    layers: [
      // Constraints would change what they are applied to.
      tfl.layers.dense({ units: 3, inputShape: [2], kernelConstraint: tfl.constraints.unitNorm({ axis: 0 }) }),
      tfl.layers.batchNormalization(),
      tfl.layers.dense({
        units: 1,
        kernelConstraint: tfl.constraints.maxNorm({ maxValue: 2, axis: 0 }),
        trainable: false,
      }),
    ],
  });
  const values = () => model.weights.map((weight) => [weight.name, weight.read().dataSync().slice()]);
  const change = () => {
    for (const weight of model.weights) {
      const variable = weight.read() as tf.Variable;
      const changed = tf.tidy(() => tf.add(tf.mul(variable, 1.7), tf.randomNormal(variable.shape)));
      variable.assign(changed);
      changed.dispose();
    }
  };
  const tensors = tf.memory().numTensors;
  change();
  const before = values();
  const copies = copyWeights(model);
  change();
  expect(values()).not.toEqual(before);
  copies.restore();
  expect(values()).toEqual(before);
  change();
  copies.restore();
  expect(values()).toEqual(before);
  copies.dispose();
  expect(tf.memory().numTensors).toBe(tensors);
  expect(values()).toEqual(before);
  model.dispose();
});
