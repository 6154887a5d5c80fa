import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { disposeMinibatch, labelledMinibatch } from '../../src/measure/minibatch.js';

const model = { outputs: [{ shape: [null, 3] }, { shape: [null, 5, 2] }, { shape: [null, 3] }] } as tfl.LayersModel;

it('a minibatch has the labels that have the form of their output, and the weights that are not 1', async () => {
  const before = tf.memory().numTensors;
  const minibatch = {
    inputs: [tf.ones([2, 4])],
    losses: [
      { target: tf.ones([2, 3]), weights: tf.tensor1d([1, 1 + 1e-7]) },
      { target: tf.ones([2, 5, 1]), weights: tf.tensor1d([1, 2]) },
      { target: tf.ones([2, 7]), weights: undefined },
    ],
  };
  const [first, second] = minibatch.losses;
  expect(await labelledMinibatch(model, minibatch)).toEqual({
    xs: minibatch.inputs,
    ys: [first!.target, second!.target, undefined],
    sampleWeight: [undefined, second!.weights, undefined],
  });
  expect(await labelledMinibatch(model, { ...minibatch, losses: [undefined, undefined] })).toEqual({
    xs: minibatch.inputs,
  });
  disposeMinibatch(minibatch);
  disposeMinibatch(undefined);
  expect(tf.memory().numTensors).toBe(before);
});
