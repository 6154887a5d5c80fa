import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';

/** What the transpose of a linear map makes of a delta, entry by entry: <delta, f(e_i)>. */
export function transposeOf(f: (x: tf.Tensor) => tf.Tensor, shape: readonly number[], delta: tf.Tensor): tf.Tensor {
  const size = shape.reduce((product, length) => product * length, 1);
  const entries = Array.from({ length: size }, (_, i) => {
    const unit = new Float32Array(size);
    unit[i] = 1;
    return tf.tidy(() => tf.sum(tf.mul(f(tf.tensor(unit, [...shape])), delta)).dataSync()[0]);
  });
  return tf.tensor(entries, [...shape]);
}

export function expectClose(actual: tf.Tensor, expected: tf.Tensor): void {
  expect(actual.shape).toEqual(expected.shape);
  const values = expected.dataSync();
  actual.dataSync().forEach((value, i) => {
    expect(value).toBeCloseTo(values[i], 4);
  });
}
