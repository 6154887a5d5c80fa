import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { unfold } from '../../../src/network/graph.js';
import { firstMatches } from '../../../src/network/layers/first-matches.js';

/** Where inputs tie, a delta goes to the first of them, whole, as in the gradients of tf.js. */
describe('ties', () => {
  it.each([
    ['maximum', () => tfl.layers.maximum()],
    ['minimum', () => tfl.layers.minimum()],
  ])('of a %s send the delta to the first input', (_, make) => {
    const inputs = [1, 2, 3].map(() => tfl.input({ shape: [4] }));
    const layer = make();
    const model = tfl.model({ inputs, outputs: layer.apply(inputs) as tfl.SymbolicTensor });
    const { operation } = unfold(model).steps[0]!;
    const found = tf.tidy(() => {
      const values = [tf.tensor2d([[1, 0, 5, 0]]), tf.tensor2d([[1, 0, 5, 1]]), tf.tensor2d([[1, 2, 1, 1]])];
      const { saved } = operation.forward(values);
      const inputShapes = values.map(({ shape }) => shape);
      return tf.stack(operation.backward({ saved, inputShapes }, tf.tensor2d([[1, 2, 3, 4]]), 1)).arraySync();
    });
    const expected =
      make().getClassName() === 'Maximum'
        ? [[[1, 0, 3, 0]], [[0, 0, 0, 4]], [[0, 2, 0, 0]]]
        : [[[1, 2, 0, 4]], [[0, 0, 0, 0]], [[0, 0, 3, 0]]];
    expect(found).toEqual(expected);
    model.dispose();
  });
});

describe('firstMatches', () => {
  const candidates = () => [tf.tensor1d([1, 2, 3, 0]), tf.tensor1d([1, 3, 3, 0]), tf.tensor1d([0, 3, 3, 0])];
  const target = () => tf.tensor1d([1, 3, 3, 5]);

  it('marks the first that equals the target, and nothing where none does', () => {
    const found = tf.tidy(() => tf.stack(firstMatches(candidates(), target())).arraySync());
    expect(found).toEqual([
      [1, 0, 1, 0],
      [0, 1, 0, 0],
      [0, 0, 0, 0],
    ]);
  });

  it('puts a given number in place of 1', () => {
    const value = tf.tensor1d([0.5, -2, 0, 7]);
    const found = tf.tidy(() => tf.stack(firstMatches(candidates(), target(), value)).arraySync());
    value.dispose();
    expect((found as number[][]).map((row) => row.map((v) => v + 0))).toEqual([
      [0.5, 0, 0, 0],
      [0, -2, 0, 0],
      [0, 0, 0, 0],
    ]);
  });
});
