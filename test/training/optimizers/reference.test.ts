import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { asam } from '../../../src/training/optimizers/asam.js';
import { sam } from '../../../src/training/optimizers/sam.js';
import * as plain from './plain-network.js';

const STEPS = 6;
const wave = (count: number, by: number) => Array.from({ length: count }, (_, i) => Math.sin(by * (i + 1)));
const rows = (count: number, width: number, by: number) =>
  Array.from({ length: count }, (_, i) => wave(width, by * (i + 1)));
const xs = rows(7, 3, 0.7);
const ys = rows(7, 2, 1.3);
const start: plain.Parameters = [wave(12, 1.1), wave(4, 2.3), wave(8, 1.7), wave(2, 0.9)];

const bases = {
  sgd: { ours: () => tf.train.sgd(0.2), reference: () => plain.sgd(0.2) },
  momentum: { ours: () => tf.train.momentum(0.1, 0.9), reference: () => plain.momentum(0.1, 0.9) },
  adam: { ours: () => tf.train.adam(0.05, 0.9, 0.999, 1e-7), reference: () => plain.adam(0.05) },
};

async function trained(optimizer: tf.Optimizer) {
  const model = tfl.sequential({
    layers: [tfl.layers.dense({ units: 4, inputShape: [3], activation: 'tanh' }), tfl.layers.dense({ units: 2 })],
  });
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const weights = start.map((values, i) => tf.tensor(values, model.weights[i]!.shape as number[]));
  model.setWeights(weights);
  const [x, y] = [tf.tensor2d(xs), tf.tensor2d(ys)];
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    losses.push((await model.trainOnBatch(x, y)) as number);
  }
  const end = await Promise.all(model.getWeights().map(async (weight) => [...(await weight.data())]));
  model.dispose();
  optimizer.dispose();
  tf.dispose([x, y, weights]);
  return { weights: end, losses };
}

function distance(a: readonly number[][], b: readonly number[][]): number {
  return Math.max(...a.flatMap((values, i) => values.map((value, j) => Math.abs(value - b[i]![j]!))));
}

describe.each(Object.entries(bases))('with %s', (_, { ours, reference }) => {
  it.each([0.05, 0.5])('SAM with rho %f is that of the paper', async (rho) => {
    const expected = plain.train(start, xs, ys, STEPS, reference(), (w, g) => plain.samPerturbation(w, g, rho));
    const { weights, losses } = await trained(sam(ours(), { rho }));
    expect(distance(weights, [...expected.weights])).toBeLessThan(2e-5);
    expect(distance([losses], [expected.losses])).toBeLessThan(1e-5);
    // The perturbation matters: plain training ends elsewhere.
    expect(distance((await trained(ours())).weights, [...expected.weights])).toBeGreaterThan(rho / 100);
  });

  it.each([
    [0.5, undefined],
    [2, 0.3],
  ])('ASAM with rho %f and eta %s is that of the paper', async (rho, eta) => {
    const perturbation = (w: plain.Parameters, g: plain.Parameters) => plain.asamPerturbation(w, g, rho, eta ?? 0.01);
    const expected = plain.train(start, xs, ys, STEPS, reference(), perturbation);
    const { weights, losses } = await trained(asam(ours(), { rho, eta }));
    expect(distance(weights, [...expected.weights])).toBeLessThan(2e-5);
    expect(distance([losses], [expected.losses])).toBeLessThan(1e-5);
    expect(distance((await trained(ours())).weights, [...expected.weights])).toBeGreaterThan(rho / 100);
  });

  it('with rho 0 is plain training, bit for bit', async () => {
    const expected = await trained(ours());
    expect(await trained(sam(ours(), { rho: 0 }))).toEqual(expected);
    expect(await trained(asam(ours(), { rho: 0 }))).toEqual(expected);
  });
});
