import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { asam } from '../../../src/training/optimizers/asam.js';
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

it("looks as far as the paper's usual 0.05 unless told otherwise", () => {
  for (const optimizer of [sam(tf.train.sgd(1)), sam(tf.train.sgd(1), {}), sam(tf.train.sgd(1), { rho: undefined })]) {
    expect(optimizer.rho).toBe(0.05);
    optimizer.dispose();
  }
});

describe('in a loop of its own', () => {
  let warn: MockInstance<typeof console.warn>;
  let weight: tf.Variable;
  beforeEach(() => {
    warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    weight = tf.tidy(() => tf.variable(tf.scalar(2)));
  });
  afterEach(() => {
    warn.mockRestore();
    weight.dispose();
  });
  const loss = () => tf.square(weight) as tf.Scalar;
  const lines = () => warn.mock.calls.map(([line]) => String(line)).filter((line) => line.startsWith('tfjs-sharpness'));

  it('computeGradients with applyGradients is a step of SAM, also where the gradients are summed or clipped', () => {
    const optimizer = sam(tf.train.sgd(1), { rho: 0.5 });
    const before = tf.memory().numTensors;
    const first = optimizer.computeGradients(loss);
    const second = optimizer.computeGradients(loss);
    const name = weight.name;
    const mean = tf.tidy(() => tf.div(tf.add(first.grads[name]!, second.grads[name]!), 2));
    optimizer.applyGradients([{ name, tensor: mean }]);
    tf.dispose([first.value, first.grads, second.value, second.grads, mean]);
    expect(weight.dataSync()[0]).toBeCloseTo(2 - 2 * 2.5, 5);
    expect(tf.memory().numTensors).toBe(before);
    const { value, grads } = optimizer.computeGradients(loss);
    optimizer.applyGradients(grads);
    optimizer.applyGradients(grads); // its own, once more
    tf.dispose([value, grads]);
    optimizer.minimize(loss);
    expect(lines()).toEqual([]);
    optimizer.dispose();
  });

  it.each([
    ['SAM', () => sam(tf.train.sgd(1), { rho: 0.5 })],
    ['ASAM', () => asam(tf.train.sgd(1), { rho: 0.5 })],
  ])('%s warns once of gradients that it did not compute, in one line', (name, make) => {
    const optimizer = make();
    for (let step = 0; step < 3; step++) {
      const { value, grads } = tf.variableGrads(loss);
      optimizer.applyGradients(grads);
      tf.dispose([value, grads]);
    }
    expect(weight.dataSync()[0]).toBe(-2); // plain steps: 2, -2, 2, -2
    expect(lines()).toEqual([
      expect.stringMatching(new RegExp(`^tfjs-sharpness: ${name} was given [^\n]*a plain one of SGD[^\n]*$`)),
    ]);
    optimizer.dispose();
  });

  it('says nothing where rho is 0, which is plain training', () => {
    const optimizer = sam(tf.train.sgd(1), { rho: 0 });
    const { value, grads } = tf.variableGrads(loss);
    optimizer.applyGradients(grads);
    tf.dispose([value, grads]);
    expect(lines()).toEqual([]);
    optimizer.dispose();
  });
});
