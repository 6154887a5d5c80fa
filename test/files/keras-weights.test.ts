import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { giveWeights, type KerasWeight } from '../../src/files/keras-weights.js';
import { disposeModel } from '../../src/files/model-file.js';

/** Layers a, b and c of one weight each in a model, b alone of them trained. */
function nested() {
  const dense = (name: string, trainable: boolean) =>
    tfl.layers.dense({ units: 1, useBias: false, name, trainable, inputShape: [1] });
  const inner = tfl.sequential({ name: 'inner', layers: [dense('a', false), dense('b', true), dense('c', false)] });
  const model = tfl.sequential({ layers: [inner] });
  const given = (weights: readonly KerasWeight[]) => {
    giveWeights(model, new Map([['inner', weights]]));
    return inner.layers.map((layer) => layer.weights[0]!.read().dataSync()[0]);
  };
  return { model, given };
}
const weight = (value: number, name?: string): KerasWeight => ({
  shape: [1, 1],
  values: Float32Array.of(value),
  ...(name !== undefined && { name }),
});

test('weights of a model in one list: by their names, else those that are trained first', () => {
  const { model, given } = nested();
  const before = tf.memory().numTensors;
  expect(given([weight(1, 'inner/a/kernel'), weight(2, 'inner/b/kernel'), weight(3, 'inner/c/kernel')])).toEqual([
    1, 2, 3,
  ]);
  expect(given([weight(3, 'c/kernel:0'), weight(2, 'b/kernel:0'), weight(1, 'a/kernel:0')])).toEqual([1, 2, 3]);
  expect(given([weight(4), weight(5), weight(6)])).toEqual([5, 4, 6]);
  // Names that say nothing, of a layer that has another name by now.
  expect(given([weight(7, 'b/kernel'), weight(8, 'old/kernel'), weight(9, 'c/kernel')])).toEqual([8, 7, 9]);
  expect(tf.memory().numTensors).toBe(before);
  disposeModel(model);
});

test('what does not fit is told', () => {
  const { model, given } = nested();
  expect(() => given([weight(1, 'a/kernel'), weight(2, 'b/kernel')])).toThrow(
    "layer 'inner' has weights of shapes [1,1], [1,1], [1,1] in tf.js, but [1,1], [1,1] in the file.",
  );
  expect(() => given([weight(1, 'a/x'), weight(2, 'a/y'), weight(3, 'b/kernel'), weight(4, 'c/kernel')])).toThrow(
    /in the file/,
  );
  disposeModel(model);
});
