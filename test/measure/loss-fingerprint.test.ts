import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { curvatureOf, isSameCurvature } from '../../src/measure/loss-fingerprint.js';
import { hessianOfFactor, type LossFactor, outputHessians } from '../../src/network/output-hessian.js';

/** Squared error whose outputs weigh so much. */
const weighted = (weights: number[]): LossFactor => ({
  columns: (outputs) => outputs,
  factor: (z) =>
    tf.tile(tf.expandDims(tf.diag(tf.sqrt(tf.mul(tf.tensor1d(weights), 2))), 1), [1, z.shape[0], 1]) as tf.Tensor3D,
});
const of = (loss: LossFactor, outputs = 3) => curvatureOf(hessianOfFactor(loss), outputs);

it('is that of the output Hessian, and not of its factor', async () => {
  const before = tf.memory().numTensors;
  const one = await of(weighted([1, 2, 3]));
  expect(one).toHaveLength(8);
  const turned: LossFactor = {
    columns: (outputs) => outputs,
    factor: (z) => tf.neg(tf.reverse(weighted([1, 2, 3]).factor(z), 0)) as tf.Tensor3D,
  };
  expect(isSameCurvature(one, await of(turned))).toBe(true);
  expect(tf.memory().numTensors).toBe(before);
});

it.each<[string, LossFactor]>([
  ['other weights', weighted([1, 2, 3.01])],
  ['weights in another order', weighted([3, 2, 1])],
  ['half', weighted([0.5, 1, 1.5])],
  ['0', weighted([0, 0, 0])],
  ['no numbers', weighted([Number.NaN, 1, 1])],
  [
    'what depends on z',
    { columns: (outputs) => outputs, factor: (z) => tf.mul(weighted([1, 2, 3]).factor(z), tf.exp(z)) as tf.Tensor3D },
  ],
])('tells squared error from one with %s', async (_, other) => {
  const [one, another] = [await of(weighted([1, 2, 3])), await of(other)];
  expect(isSameCurvature(one, another)).toBe(false);
  expect(isSameCurvature(another, one)).toBe(false);
  expect(isSameCurvature(another, [...another])).toBe(true);
});

it('of factors of amounts and of probabilities tell losses apart', async () => {
  const byLabels = (root: (y: tf.Tensor2D) => tf.Tensor): LossFactor => ({
    needsLabels: true,
    columns: (outputs) => outputs,
    factor: (z, y) => tf.mul(weighted([1, 1, 1]).factor(z), root(y as tf.Tensor2D)) as tf.Tensor3D,
  });
  const [half, whole, ofUncertain] = await Promise.all(
    [
      (y: tf.Tensor2D) => tf.sqrt(tf.div(y, 2)),
      (y: tf.Tensor2D) => tf.sqrt(y),
      (y: tf.Tensor2D) => tf.sqrt(tf.mul(y, tf.sub(1, y))),
    ].map((root) => of(byLabels(root))),
  );
  expect([half, whole, ofUncertain].flat().every((value) => value! >= 0)).toBe(true);
  expect(isSameCurvature(half!, whole!)).toBe(false);
  expect(isSameCurvature(whole!, ofUncertain!)).toBe(false);
});

it('of the losses by name differ as well', async () => {
  const all = await Promise.all(
    (['softmaxCrossEntropy', 'sigmoidCrossEntropy', 'meanSquaredError'] as const).map((name) =>
      curvatureOf(outputHessians[name], 4),
    ),
  );
  all.forEach((one, i) => {
    all.forEach((other, j) => {
      expect(isSameCurvature(one, other)).toBe(i === j);
    });
  });
});
