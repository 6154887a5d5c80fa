import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { lengthOf, withOtherWeights } from '../../src/measures/other-weights.js';

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

it('lengths are right where squares leave the range of float32, and not finite where a number is not', () => {
  const lengths = (...values: number[]) =>
    tf.tidy(() => [lengthOf([tf.tensor1d(values)]), lengthOf(values.map((each) => tf.scalar(each)))]);
  for (const size of [1e-30, 1, 1e30]) {
    lengths(3 * size, -4 * size, 12 * size).forEach((each) => {
      expect(each / size).toBeCloseTo(13, 4);
    });
  }
  expect(lengths(0, 0)).toEqual([0, 0]);
  for (const broken of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    expect([...lengths(0, broken), ...lengths(1, broken)].some(Number.isFinite)).toBe(false);
  }
});
