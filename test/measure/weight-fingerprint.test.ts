import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { fingerprintOf } from '../../src/measure/weight-fingerprint.js';

const weights = (...values: number[][]) =>
  values.map((each, i) => {
    const tensor = tf.tensor1d(each);
    return { originalName: `w${i}`, read: () => tensor };
  });

it('is the same for the same weights, and of 32 hexadecimal digits', async () => {
  const found = await fingerprintOf(weights([1, 2], [3]));
  expect(found).toMatch(/^[0-9a-f]{32}$/);
  expect(await fingerprintOf(weights([1, 2], [3]))).toBe(found);
});

it.each<[string, number[][], number[][]]>([
  ['the last bit of a weight', [[1, 2]], [[1, 2 + 2 ** -22]]],
  ['the sign of a zero', [[0]], [[-0]]],
  ['the order', [[1, 2]], [[2, 1]]],
  ['a weight more', [[1]], [[1], [0]]],
])('sees %s', async (_, before, after) => {
  expect(await fingerprintOf(weights(...after))).not.toBe(await fingerprintOf(weights(...before)));
});

it('tells 200 neighbours of a weight apart', async () => {
  const seen = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const tensor = tf.tensor1d([1 + i * 2 ** -23, 0.5]);
    seen.add(await fingerprintOf([{ originalName: 'w', read: () => tensor }]));
    tensor.dispose();
  }
  expect(seen.size).toBe(200);
});

it('sees shapes and types, and reads all weights at once', async () => {
  const [flat, square] = [tf.tensor1d([1, 2, 3, 4]), tf.tensor2d([1, 2, 3, 4], [2, 2])];
  const whole = tf.tensor1d(new Int32Array(new Float32Array([1, 2, 3, 4]).buffer), 'int32');
  const of = (tensor: tf.Tensor) => fingerprintOf([{ originalName: 'w', read: () => tensor }]);
  expect(new Set([await of(flat), await of(square), await of(whole)]).size).toBe(3);
  const variables = [1, 2].map((value) => tf.tidy(() => tf.variable(tf.scalar(value))));
  const list = variables.map((variable) => ({ originalName: 'w', read: () => variable }));
  const before = await fingerprintOf(list);
  const found = fingerprintOf(list);
  tf.tidy(() => {
    for (const variable of variables) {
      variable.assign(tf.scalar(7));
    }
  });
  expect(await found).toBe(before);
  tf.dispose([flat, square, whole, variables]);
});
