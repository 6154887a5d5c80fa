import * as tf from '@tensorflow/tfjs-core';
// tfjs-core has no gradients of its own: this registers them.
import '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import {
  assignLearningRate,
  isMadeBy,
  learningRateIn,
  tensorsOfOptimizer,
  unsavedVariables,
} from '../../src/tfjs/optimizer-fields.js';

const withRate: [string, (rate: number) => tf.Optimizer][] = [
  ['sgd', (rate) => tf.train.sgd(rate)],
  ['momentum', (rate) => tf.train.momentum(rate, 0.9)],
  ['adam', (rate) => tf.train.adam(rate)],
  ['adamax', (rate) => tf.train.adamax(rate, undefined, undefined, undefined, 0.1)],
  ['adagrad', (rate) => tf.train.adagrad(rate)],
  ['adadelta', (rate) => tf.train.adadelta(rate)],
  ['rmsprop', (rate) => tf.train.rmsprop(rate)],
];

/** tf.js' momentum leaves the tensor of its rate behind. */
function dispose(optimizer: tf.Optimizer): void {
  (optimizer as unknown as { c?: tf.Scalar }).c?.dispose();
  optimizer.dispose();
}

/** The weight after a step down its square from 1. */
function step(optimizer: tf.Optimizer): number {
  const weight = tf.tidy(() => tf.variable(tf.scalar(1)));
  optimizer.minimize(() => tf.square(weight) as tf.Scalar, false, [weight]);
  const [value] = weight.dataSync();
  weight.dispose();
  return value;
}

describe('the learning rate', () => {
  it.each(withRate)('of %s: read, set, and used by the next step', (_, make) => {
    const before = tf.memory().numTensors;
    const [changed, made, unchanged] = [make(0.25), make(0.125), make(0.25)];
    expect(learningRateIn(changed)).toBe(0.25);
    expect(assignLearningRate(changed, 0.125)).toBe(true);
    expect(learningRateIn(changed)).toBe(0.125);
    const moved = step(changed);
    expect(moved).toBe(step(made));
    expect(moved).not.toBe(step(unchanged));
    for (const optimizer of [changed, made, unchanged]) {
      dispose(optimizer);
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('is nowhere else, and none is made', () => {
    const object = {};
    expect(assignLearningRate(object, 1)).toBe(false);
    expect(object).toEqual({});
    for (const without of [object, null, undefined, 'sgd']) {
      expect(learningRateIn(without)).toBeUndefined();
    }
  });
});

it('the tensors among its fields are found', () => {
  const [sgd, adagrad] = [tf.train.sgd(0.5), tf.train.adagrad(0.5)];
  // The rate, negated.
  expect(tensorsOfOptimizer(sgd).map((tensor) => tensor.dataSync()[0])).toEqual([-0.5]);
  expect(tensorsOfOptimizer(adagrad)).toEqual([]);
  sgd.dispose();
  adagrad.dispose();
});

it("Adam's powers of beta are what its own weights lack", async () => {
  const before = tf.memory().numTensors;
  const [adam, sgd] = [tf.train.adam(0.1, 0.5, 0.25), tf.train.sgd(0.1)];
  step(adam);
  const unsaved = unsavedVariables(adam);
  expect(Object.values(unsaved).map((variable) => variable.dataSync()[0])).toEqual([0.25, 0.0625]);
  const saved = await adam.getWeights();
  expect(saved.some(({ tensor }) => Object.values(unsaved).includes(tensor as tf.Variable))).toBe(false);
  expect(unsavedVariables(sgd)).toEqual({});
  saved[0].tensor.dispose();
  adam.dispose();
  sgd.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

it('a class made an optimizer where it or one that extends it did, unlike instanceof', () => {
  class Special extends tf.SGDOptimizer {}
  const [special, plain] = [new Special(0.1), tf.train.sgd(0.1)];
  expect(plain instanceof Special).toBe(true);
  expect(isMadeBy(Special, plain)).toBe(false);
  expect(isMadeBy(Special, special)).toBe(true);
  expect(isMadeBy(tf.SGDOptimizer, special)).toBe(true);
  expect(isMadeBy(Special, { minimize() {}, computeGradients() {}, applyGradients() {} })).toBe(false);
  special.dispose();
  plain.dispose();
});
