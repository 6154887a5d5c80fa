import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { withOtherWeights } from '../../src/measures/other-weights.js';

it('weights have their values again, also after an error', () => {
  const w = tf.variable(tf.tensor1d([1, 2]));
  const { numTensors } = tf.memory();
  const doubled = withOtherWeights([w], ([value]) => {
    tf.tidy(() => w.assign(tf.mul(value!, 2)));
    return Array.from(w.dataSync());
  });
  expect(doubled).toEqual([2, 4]);
  expect(() =>
    withOtherWeights([w], () => {
      tf.tidy(() => w.assign(tf.zerosLike(w)));
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(Array.from(w.dataSync())).toEqual([1, 2]);
  expect(tf.memory().numTensors).toBe(numTensors);
  w.dispose();
});
