import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { weightDecayOf } from '../../../src/training/control/weight-decay.js';

it('is what the next training step goes by, in every layer that has the regularizer', async () => {
  const tensorsBefore = tf.memory().numTensors;
  const decay = tfl.regularizers.l2({ l2: 0.5 });
  const dense = () =>
    tfl.layers.dense({
      units: 1,
      useBias: false,
      inputShape: [1],
      kernelInitializer: 'ones',
      kernelRegularizer: decay,
    });
  const model = tfl.sequential({ layers: [dense(), dense()] });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' }); // learning rate 0.01
  const x = tf.zeros([2, 1]); // no gradient from the loss itself
  const weights = () => model.getWeights().map((weight) => weight.dataSync()[0]!);
  const setting = weightDecayOf(decay);
  expect([setting.name, setting.get()]).toEqual(['weight_decay', 0.5]);

  await model.fit(x, x, { verbose: 0 });
  for (const weight of weights()) {
    expect(weight).toBeCloseTo(1 - 2 * 0.01 * 0.5, 6);
  }
  setting.set(5);
  expect(setting.get()).toBe(5);
  await model.fit(x, x, { verbose: 0 });
  for (const weight of weights()) {
    expect(weight).toBeCloseTo(0.99 * (1 - 2 * 0.01 * 5), 6);
  }

  model.dispose();
  x.dispose();
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

it('says in one line what is wrong', () => {
  for (const wrong of [undefined, null, 'l2', {}, { l2: '0.1' }]) {
    expect(() => weightDecayOf(wrong as object)).toThrow(/^weightDecayOf: a regularizer [^\n]*is wanted\.$/);
  }
  expect(() => weightDecayOf(tfl.regularizers.l2({ l2: 0 }))).toThrow(/^weightDecayOf: the factor is 0[^\n]*$/);
  expect(() => weightDecayOf(tfl.regularizers.l1({ l1: 0.1 }))).toThrow(/^weightDecayOf: the factor is 0[^\n]*$/);
});
