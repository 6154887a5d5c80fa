import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';

it('looks at a weight again when it was assigned to, and at every new input', async () => {
  const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 3, inputShape: [4] })] });
  const x = tf.randomNormal([5, 4]);
  const measure = (inputs: tf.Tensor) => measureSharpness(model, inputs, { loss: 'softmaxCrossEntropy' });
  await measure(x);
  const { result, kernels } = await tf.profile(async () => {
    await measure(x);
    return tf.scalar(0);
  });
  // What is known is not summed again: no sum of all elements is left.
  expect(kernels.filter(({ name, outputShapes }) => name === 'Sum' && outputShapes[0]!.length === 0)).toEqual([]);
  const broken = tf.tidy(() => tf.where(tf.greater(x, 0), x, Number.NaN));
  await expect(measure(broken)).rejects.toThrow(/^Input '.*' has a NaN/);
  await expect(measure(broken)).rejects.toThrow(/^Input '.*' has a NaN/);
  const [kernel, bias] = model.getWeights();
  tf.tidy(() => model.setWeights([tf.mul(kernel!, Number.POSITIVE_INFINITY), bias!]));
  await expect(measure(x)).rejects.toThrow(/^Weight '.*kernel' has a NaN/);
  tf.dispose([x, broken, result]);
  model.dispose();
});
