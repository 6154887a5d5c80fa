import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { measureSharpness } from '../../src/index.js';
import { edgeOfStability } from '../../src/measure/edge-of-stability.js';
import { scalarPoints } from '../../src/training/tensorboard/scalars.js';

/** Whether steps on curvature / 2 w^2 come to rest. */
function comesToRest(optimizer: tf.Optimizer, curvature: number): boolean {
  const w = tf.variable(tf.scalar(1));
  for (let step = 0; step < 400; step++) {
    optimizer.minimize(() => tf.mul(curvature / 2, tf.square(w)) as tf.Scalar, false, [w]);
  }
  const size = Math.abs(w.dataSync()[0]!);
  tf.dispose([w]);
  return size < 1e-2;
}

it.each([
  ['sgd', () => tf.train.sgd(0.1)],
  ['momentum', () => tf.train.momentum(0.05, 0.9)],
] as const)('is where steps begin to diverge: %s', (_, make) => {
  const optimizer = make();
  const edge = edgeOfStability(optimizer)!;
  expect(comesToRest(make(), 0.98 * edge)).toBe(true);
  expect(comesToRest(make(), 1.02 * edge)).toBe(false);
  optimizer.dispose();
});

it('is not known of others', () => {
  expect(edgeOfStability(tf.train.adam(0.1))).toBeUndefined();
  expect(edgeOfStability(tf.train.momentum(0.1, 0.9, true))).toBeUndefined();
  expect(edgeOfStability(tf.train.sgd(0))).toBeUndefined();
  expect(edgeOfStability(undefined)).toBeUndefined();
});

it('is in a reading with eigenvalues, by the rate of that time, and a line of TensorBoard', async () => {
  const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [3] })] });
  const x = tf.randomNormal([8, 3], 0, 1, 'float32', 1);
  const edgeOf = async () =>
    (await measureSharpness(model, x, { loss: 'meanSquaredError', eigenvalues: 1 })).topEigenvalues!.stableBelow;
  expect(await edgeOf()).toBeUndefined();
  const optimizer = tf.train.sgd(0.25);
  model.compile({ optimizer, loss: 'meanSquaredError' });
  expect(await edgeOf()).toBe(8);
  optimizer.setLearningRate(0.5);
  const reading = await measureSharpness(model, x, { eigenvalues: 1 });
  const points = scalarPoints(reading, 's').filter(({ tag }) => tag.includes('stability'));
  expect(points.map(({ tag, value }) => [tag, value])).toEqual([['s/edge_of_stability', 4]]);
  x.dispose();
  model.dispose();
  optimizer.dispose();
});
