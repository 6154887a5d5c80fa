import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { gaugedTensors, gaugedTidy, memoryGauge } from '../../src/tfjs/memory-gauge.js';

/** Bytes of a number. */
const FLOAT = 4;

describe('gaugedTidy', () => {
  it('sees tensors that come and go inside of tidies of their own', () => {
    const gauge = memoryGauge();
    const left = gaugedTidy(gauge, () => {
      tf.tidy(() => {
        tf.zeros([100]);
        tf.zeros([50]);
      });
      return tf.zeros([10]);
    });
    expect(gauge.peak).toBe(150 * FLOAT);
    expect(left.shape).toEqual([10]);
    left.dispose();
  });

  it('counts from what was there when the gauge was made, and keeps the highest of several scopes', () => {
    const there = tf.zeros([1000]);
    const gauge = memoryGauge();
    for (const size of [5, 20, 10]) {
      gaugedTidy(gauge, () => void tf.zeros([size]));
    }
    expect(gauge.peak).toBe(20 * FLOAT);
    tf.dispose(gaugedTidy(gauge, () => tf.zeros([7])));
    expect(gauge.peak).toBe(20 * FLOAT);
    there.dispose();
  });

  it('leaves the engine as it was, also where the scope throws', () => {
    const { trackTensor } = tf.engine();
    const before = tf.memory().numTensors;
    const gauge = memoryGauge();
    const failing = () => {
      tf.zeros([3]);
      throw new Error('too much');
    };
    expect(() => gaugedTidy(gauge, failing)).toThrow('too much');
    expect(gauge.peak).toBe(3 * FLOAT);
    expect(tf.engine().trackTensor).toBe(trackTensor);
    expect(Object.hasOwn(tf.engine(), 'trackTensor')).toBe(false);
    expect(tf.memory().numTensors).toBe(before);
    tf.zeros([99]).dispose();
    expect(gauge.peak).toBe(3 * FLOAT);
  });
});

it('gaugedTensors keeps each tensor with its number', () => {
  const gauge = memoryGauge();
  const before = tf.memory().numTensors;
  const found = gaugedTensors(
    gauge,
    () =>
      new Map([
        [7, tf.square(tf.tensor1d([3]))],
        [2, tf.tensor1d([4])],
      ]),
  );
  expect([...found].map(([key, tensor]) => [key, tensor.dataSync()[0]])).toEqual([
    [7, 9],
    [2, 4],
  ]);
  expect(tf.memory().numTensors).toBe(before + 2);
  expect(gauge.peak).toBe(3 * FLOAT);
  tf.dispose([...found.values()]);
});
