import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { copyWeights, snapshotVariables } from '../../src/tfjs/saved-weights.js';
import { identityOfValues } from '../../src/tfjs/value-identity.js';

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

describe('snapshotVariables', () => {
  it('gives back what was assigned to since, bit for bit, and touches nothing else', () => {
    const [moved, still, gone] = tf.tidy(() => [1.1, 2.2, 3.3].map((value) => tf.variable(tf.scalar(value))));
    const values = () => [moved, still].map((variable) => variable.dataSync()[0]);
    const before = values();
    const identity = identityOfValues(still);
    const tensors = tf.memory().numTensors;
    tf.tidy(() => {
      const restore = snapshotVariables();
      moved.assign(tf.scalar(7));
      gone.assign(tf.scalar(9));
      gone.dispose();
      expect(values()).not.toEqual(before);
      restore();
      expect(values()).toEqual(before);
      moved.assign(tf.scalar(8));
      restore();
    });
    expect(values()).toEqual(before);
    expect(identityOfValues(still)).toBe(identity);
    expect(tf.memory().numTensors).toBe(tensors - 1);
    tf.dispose([moved, still]);
  });
});
