import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { asam } from '../../../src/training/optimizers/asam.js';

/** Where a step of ASAM computes the second gradient of a model, less where it computes the first, by variable. */
async function perturbation(model: tfl.LayersModel, x: tf.Tensor, rho: number, eta: number) {
  const optimizer = asam(tf.train.sgd(0), { rho, eta });
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const seen: Float32Array[][] = [];
  const { call } = model.layers[0]!;
  model.layers[0]!.call = (inputs, kwargs) => {
    seen.push(model.trainableWeights.map((weight) => weight.read().dataSync<'float32'>()));
    return call.call(model.layers[0], inputs, kwargs);
  };
  const y = tf.ones([x.shape[0]!, 2]);
  await model.trainOnBatch(x, y);
  y.dispose();
  optimizer.dispose();
  const [at, moved] = seen;
  return model.trainableWeights.map(({ name }, i) => ({
    name,
    weights: [...at![i]!],
    eps: [...moved![i]!].map((value, j) => value - at![i]![j]!),
  }));
}

const title =
  'a weight of zero stays where it is with eta 0, a bias does not; kernels, gammas and betas are told apart';
it.each(['', ' in a second model with the same names'])(`${title}%s`, async (second) => {
  const model = tfl.sequential({
    layers: [
      tfl.layers.dense({ units: 3, inputShape: [2], name: 'bias_like' }),
      tfl.layers.layerNormalization({ name: 'norm' }),
      tfl.layers.dense({ units: 2, name: 'head' }),
    ],
  });
  const x = tf.randomNormal([6, 2], 0, 1, 'float32', 1);
  model.setWeights(
    model.weights.map(({ shape, name }, i) => {
      const full = tf.randomNormal(shape as number[], 1, 0.3, 'float32', i + 1);
      const first = tf.reshape(tf.oneHot(0, full.size), shape as number[]);
      return /bias|beta/.test(name.split('/').at(-1)!) ? tf.zerosLike(full) : tf.where(tf.cast(first, 'bool'), 0, full);
    }),
  );
  const moved = await perturbation(model, x, 0.5, 0);
  expect(moved.map(({ name }) => /_\d+$/.test(name))).toEqual(Array(6).fill(second !== ''));
  for (const { name, weights, eps } of moved) {
    expect(weights[0], name).toBe(0);
    if (/(bias|beta)(_\d+)?$/.test(name)) {
      expect(Math.max(...eps.map(Math.abs)), name).toBeGreaterThan(0);
    } else {
      expect(eps[0], name).toBe(0);
      expect(Math.abs(eps.at(-1)!), name).toBeGreaterThan(0);
    }
  }
  model.dispose();
  x.dispose();
});
