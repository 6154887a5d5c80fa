import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { identityOfValues, sharingValues } from '../../src/tfjs/value-identity.js';

it('is that of a tensor as long as it lives, and of no other values', () => {
  tf.tidy(() => {
    const x = tf.tensor1d([1, 2]);
    const before = identityOfValues(x);
    tf.square(x);
    expect(identityOfValues(x)).toBe(before);
    expect(identityOfValues(tf.tensor1d([1, 2]))).not.toBe(before);
    expect(identityOfValues(tf.mul(x, 2))).not.toBe(before);
  });
});

it('of a variable changes when it is assigned to, and is that of what was assigned', () => {
  const variable = tf.tidy(() => tf.variable(tf.tensor1d([1, 2])));
  tf.tidy(() => {
    const before = identityOfValues(variable);
    const equal = tf.tensor1d([1, 2]);
    variable.assign(equal);
    expect(identityOfValues(variable)).not.toBe(before);
    expect(identityOfValues(variable)).toBe(identityOfValues(equal));
  });
  variable.dispose();
});

// wasm copies the values.
it.skipIf(tf.getBackend() === 'wasm')('of a copy is that of the original', () => {
  tf.tidy(() => {
    const x = tf.tensor1d([1, 2]);
    expect(identityOfValues(tf.clone(x))).toBe(identityOfValues(x));
  });
});

it('of what shares values is theirs on every backend, also when it takes the place of other ones', () => {
  const variable = tf.tidy(() => tf.variable(tf.tensor1d([1, 2])));
  const tensors = tf.memory().numTensors;
  const before = identityOfValues(variable);
  const shared = sharingValues(variable);
  expect(identityOfValues(shared)).toBe(before);
  tf.tidy(() => variable.assign(tf.tensor1d([3, 4])));
  expect([...shared.dataSync()]).toEqual([1, 2]);
  variable.assign(shared as tf.Tensor1D & tf.Variable);
  shared.dispose();
  expect(identityOfValues(variable)).toBe(before);
  expect([...variable.dataSync()]).toEqual([1, 2]);
  expect(tf.memory().numTensors).toBe(tensors);
  variable.dispose();
});
