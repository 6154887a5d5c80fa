import * as tf from '@tensorflow/tfjs-core';
import { afterAll, expect, test } from 'vitest';
import { checkPredictions } from '../../src/files/predictions.js';
import { denseModel } from './saved-model.js';

const model = denseModel('linear', 2);
const x = tf.tensor2d([
  [1, 2, 3],
  [0, 1, 0],
]);
const right = tf.tidy(() => Float32Array.from((model.predict(x) as tf.Tensor).dataSync()));
afterAll(() => {
  x.dispose();
  model.dispose();
});

function check(change: (values: Float32Array) => void, shape = [2, 2]) {
  const values = Float32Array.from(right);
  change(values);
  return checkPredictions(model, [x], 0, { shape, values }, 'y.npy');
}

test('what is near enough is right', async () => {
  const before = tf.memory().numTensors;
  await check(() => {});
  const largest = Math.max(...right.map(Math.abs));
  await check((values) => {
    values[1]! += 0.0009 * largest;
  });
  expect(tf.memory().numTensors).toBe(before);
});

test.each([0.1, Number.NaN, Number.POSITIVE_INFINITY])('one that is off by %d is told with its sample', async (off) => {
  const change = (values: Float32Array) => {
    values[2]! += off;
  };
  await expect(check(change)).rejects.toThrow(
    /^tf\.js predicts .* where 'y\.npy' has .* \(sample 2\): it computes a layer otherwise/,
  );
});

test('a column of large numbers hides no error in another, and axes count', async () => {
  // Sample 1 has numbers of 1e4 in the first column only.
  const kernel = tf.tensor2d([
    [1e4, 0],
    [0, 1],
    [0, 0],
  ]);
  const before = model.getWeights().map((weight) => tf.clone(weight));
  const bias = tf.zeros([2]);
  model.setWeights([kernel, bias]);
  const predicted = tf.tidy(() => Float32Array.from((model.predict(x) as tf.Tensor).dataSync()));
  const at = (shape: number[], off: number) =>
    checkPredictions(model, [x], 0, { shape, values: predicted.map((value, i) => value + (i === 1 ? off : 0)) }, 'y');
  await at([2, 1, 2], 0);
  await expect(at([2, 2], 1)).rejects.toThrow(/^tf\.js predicts/);
  await expect(at([2, 4], 0)).rejects.toThrow(/shape/);
  model.setWeights(before);
  tf.dispose([kernel, bias, before]);
});

test('predictions of another shape, and data of a module', async () => {
  await expect(check(() => {}, [4])).rejects.toThrow(
    "'y.npy' has predictions of shape [4], but the model's are [2, 2].",
  );
  await expect(checkPredictions(model, x, 0, { shape: [2, 2], values: right }, 'y.npy')).rejects.toThrow(/a module/);
});
