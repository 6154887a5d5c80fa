import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { maskOfCall } from '../../src/network/masks.js';

const { layers } = tfl;
const sequence = () => tfl.input({ shape: [3, 2] });

/** The mask of these numbers, with the masks of the inputs behind them. */
function maskOf(layer: tfl.layers.Layer, symbols: tfl.SymbolicTensor[], masked: boolean[], inputs: tf.Tensor[]) {
  const made = maskOfCall(layer, symbols, masked);
  if (made === undefined || made === 'first') {
    return made;
  }
  const { output } = made.forward(inputs);
  expect(made.backward({ saved: [], inputShapes: [] }, output, 1)).toEqual([]);
  return { scale: made.scale, description: made.description, mask: output.arraySync() };
}

describe('maskOfCall', () => {
  const rows = () =>
    tf.tensor3d([
      [
        [0, 0],
        [0, 1],
        [2, 2],
      ],
    ]);

  it('comes from where a masking layer finds its number everywhere in a row', () => {
    tf.tidy(() => {
      expect(maskOf(layers.masking({ maskValue: 0 }), [sequence()], [false], [rows()])).toEqual({
        scale: 'resets',
        description: 'mask of Masking',
        mask: [[0, 1, 1]],
      });
      // Another number than 0 does not stay what it is when the input is rescaled.
      expect(maskOf(layers.masking({ maskValue: 2 }), [sequence()], [false], [rows()])).toMatchObject({
        scale: 'pins',
        mask: [[1, 1, 0]],
      });
    });
  });

  it('comes from the tokens of an embedding that masks 0', () => {
    const tokens = tfl.input({ shape: [3] });
    const embedding = (maskZero: boolean) => layers.embedding({ inputDim: 4, outputDim: 2, maskZero });
    tf.tidy(() => {
      const found = maskOf(embedding(true), [tokens], [false], [tf.tensor2d([[3, 0, 1]])]);
      expect(found).toMatchObject({ description: 'mask of Embedding', mask: [[1, 0, 1]] });
    });
    expect(maskOfCall(embedding(false), [tokens], [false])).toBeUndefined();
  });

  it('is passed on by a layer that says no more than that it supports masks', () => {
    expect(maskOfCall(layers.dropout({ rate: 0.5 }), [sequence()], [true])).toBe('first');
    expect(maskOfCall(layers.dropout({ rate: 0.5 }), [sequence()], [false])).toBeUndefined();
    expect(maskOfCall(layers.flatten(), [sequence()], [true])).toBeUndefined();
  });

  it('is put together from those that there are', () => {
    const layer = layers.concatenate({ axis: -1 });
    const symbols = [sequence(), sequence()];
    layer.apply(symbols);
    expect(maskOfCall(layer, symbols, [false, false])).toBeUndefined();
    const [first, second] = [
      [1, 1, 0],
      [0, 1, 1],
    ];
    const asMask = (row: number[]) => tf.tensor2d([row], [1, 3], 'bool');
    tf.tidy(() => {
      const inputs = [rows(), rows()];
      expect(maskOf(layer, symbols, [true, true], [...inputs, asMask(first), asMask(second)])).toEqual({
        scale: 'resets',
        description: 'mask of Concatenate',
        mask: [[0, 1, 0]],
      });
      expect(maskOf(layer, symbols, [false, true], [...inputs, asMask(second)])).toMatchObject({ mask: [second] });
      expect(maskOf(layer, symbols, [true, false], [...inputs, asMask(first)])).toMatchObject({ mask: [first] });
    });
  });

  it('is that of a user’s layer, as its computeMask says', () => {
    class Positive extends layers.Layer {
      static className = 'PositiveMask';
      override supportsMasking = true;
      override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
        return [inputs].flat()[0]!;
      }
      override computeMask(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
        return tf.greater(tf.sum([inputs].flat()[0]!, -1), 1);
      }
    }
    tf.tidy(() => {
      expect(maskOf(new Positive({}), [sequence()], [false], [rows()])).toMatchObject({
        scale: 'pins',
        mask: [[0, 0, 1]],
      });
    });
  });

  it('leaves no tensor behind when it looks whether there is one', () => {
    const before = tf.memory().numTensors;
    maskOfCall(layers.masking({ maskValue: 0 }), [sequence()], [false]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
