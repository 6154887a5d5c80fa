import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { unfold } from '../../../src/network/graph.js';

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
