import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { copyAsWeights, copyWeights, snapshotVariables } from '../../src/tfjs/saved-weights.js';
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

it('takes tensors over that were the weights once, and refuses those of another model', () => {
  const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [3] })] });
  const tensors = tf.memory().numTensors;
  const given = [tf.fill([3, 2], 7), tf.fill([2], 9)];
  const copies = copyAsWeights(model, given);
  tf.dispose(given);
  expect(copies.tensors.map((tensor) => tensor.shape)).toEqual([[3, 2], [2]]);
  copies.restore();
  expect(model.getWeights().map((weight) => [...weight.dataSync()])).toEqual([Array(6).fill(7), [9, 9]]);
  copies.dispose();
  expect(tf.memory().numTensors).toBe(tensors);
  expect(() => copyAsWeights(model, given)).toThrow(/^tensor 0 of the weights is disposed: keep them [^\n]*\.$/);
  const whole = [tf.fill([3, 2], 5, 'int32'), tf.fill([2], 6)];
  const ofWhole = copyAsWeights(model, whole);
  expect(ofWhole.tensors.map(({ dtype }) => dtype)).toEqual(['float32', 'float32']);
  ofWhole.restore();
  expect([...model.getWeights()[0]!.dataSync()]).toEqual(Array(6).fill(5));
  ofWhole.dispose();
  expect(() => copyAsWeights(model, [whole[0]!, given[1]!])).toThrow(/^tensor 1 /);
  tf.dispose(whole);
  expect(tf.memory().numTensors).toBe(tensors);
  expect(() => copyAsWeights(model, [])).toThrow(
    /^weights of the shapes \[3, 2\], \[2\] are wanted[^\n]* they are none\.$/,
  );
  model.dispose();
});
