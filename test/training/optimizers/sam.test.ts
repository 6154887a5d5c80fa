import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { sam } from '../../../src/training/optimizers/sam.js';

/** One step of plain descent on `loss` with SAM around it, from the given weights. */
async function step(weights: number[][], rho: number, loss: (variables: tf.Variable[]) => tf.Scalar) {
  const variables = tf.tidy(() => weights.map((values) => tf.variable(tf.tensor1d(values))));
  const optimizer = sam(tf.train.sgd(1), { rho });
  optimizer.minimize(() => loss(variables), false, variables);
  const after = await Promise.all(variables.map(async (variable) => [...(await variable.data())]));
  tf.dispose(variables);
  optimizer.dispose();
  return after;
}

const halfSquares = (variables: tf.Variable[]) =>
  tf.div(tf.addN(variables.map((variable) => tf.sum(tf.square(variable)))), 2) as tf.Scalar;

it('moves all weights by rho along the gradient, over all of them together, before it takes the gradient', async () => {
  // The gradient is w itself, of length 5: at w + rho w / 5 it is (1 + rho / 5) w.
  const [first, second] = await step([[3], [0, 4]], 0.5, halfSquares);
  expect(first![0]).toBeCloseTo(3 - 1.1 * 3, 5);
  expect(second![0]).toBe(0);
  expect(second![1]).toBeCloseTo(4 - 1.1 * 4, 5);
});

it('measures no weight by its size: biases, kernels and large weights move alike', async () => {
  const product = ([w]: tf.Variable[]) => tf.sum(tf.square(tf.add(w!, [0, -99]))) as tf.Scalar;
  // The gradient is (2, 2) at (1, 100).
  const [after] = await step([[1, 100]], Math.SQRT2, product);
  expect(after![0]).toBeCloseTo(1 - 2 * 2, 4);
  expect(after![1]).toBeCloseTo(100 - 2 * 2, 4);
});
