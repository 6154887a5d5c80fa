import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { concatenationAxis, layerAxis, repeatsWeightsByElement } from '../../src/tfjs/layer-axis.js';

const { layers } = tfl;

it.each([
  [3, 3],
  [-1, 3],
  [-4, 0],
  [[3], 3],
  ['2', 2],
] as const)('axis %j of four is axis %i', (setting, axis) => {
  expect(layerAxis(setting, 4)).toBe(axis);
});

/** Backends whose Concat takes numbers only. */
const numbersOnly = tf.getBackend() === 'tensorflow';

it.each([1, 2, -1, -2, '1', [1], [2], 3])(
  'tensors are joined along the axis that tf.js joins them along: %j',
  (axis) => {
    if (numbersOnly && Array.isArray(axis)) {
      return;
    }
    tf.tidy(() => {
      const x = tf.ones([2, 3, 3]);
      const joined = layers.concatenate({ axis: axis as number }).apply([x, x]) as tf.Tensor;
      expect(joined.shape.indexOf(6)).toBe(concatenationAxis(axis, 3));
    });
  },
);

describe('weights of a batch normalization', () => {
  it.each<[unknown, number[]]>([
    [-1, [2, 3]],
    [[2], [2, 3]],
    [1, [3]],
    [1, [2, 3]],
    [[1], [2, 3]],
    [-2, [2, 4]],
    [2, [2, 3, 2]],
  ])('with axis %j of [%j] are repeated from element to element where the backend does so', (axis, shape) => {
    const layer = layers.batchNormalization({
      axis: axis as number,
      inputShape: shape,
      betaInitializer: tfl.initializers.randomNormal({ seed: 1 }),
    });
    const model = tfl.sequential({ layers: [layer] });
    tf.tidy(() => {
      const zeros = tf.zeros([1, ...shape]);
      const shift = layer.getWeights()[1]!.dataSync();
      const output = (model.predict(zeros) as tf.Tensor).dataSync();
      const byElement = output.every((y, i) => Math.abs(y - shift[i % shift.length]!) < 1e-6);
      const last = layerAxis(axis as number, shape.length + 1) === shape.length;
      expect(byElement).toBe(last || repeatsWeightsByElement(layer));
      expect(last && repeatsWeightsByElement(layer)).toBe(false);
    });
    model.dispose();
  });
});
