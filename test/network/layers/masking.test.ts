import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { checkLayers, one, operationsOf, traitsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  Masking: [
    one('masking', () => layers.masking({ maskValue: 0 }), [[3, 2]], { plain: plain.masking }),
    one('masking of another value', () => layers.masking({ maskValue: 0.5 }), [[3, 2]], { plain: plain.masking }),
  ],
});

describe('masking', () => {
  it('sets rows to 0 that hold its number alone, and stops their deltas', () => {
    const [operation] = operationsOf(layers.masking({ maskValue: 2 }), [3, 2]);
    tf.tidy(() => {
      const x = tf.tensor3d([2, 2, 2, 1, -1, 3], [1, 3, 2]);
      const { output, saved } = operation!.forward([x]);
      expect(output.arraySync()).toEqual([
        [
          [0, 0],
          [2, 1],
          [-1, 3],
        ],
      ]);
      const [back] = operation!.backward(
        { saved, inputShapes: [x.shape] },
        tf.tensor3d([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [2, 3, 2]),
        2,
      );
      expect(back!.arraySync()).toEqual([
        [
          [0, 0],
          [3, 4],
          [5, 6],
        ],
        [
          [0, 0],
          [9, 10],
          [11, 12],
        ],
      ]);
    });
  });

  it('holds the scale of its input, unless its number is 0', () => {
    expect(traitsOf(layers.masking({ maskValue: 2 }), [3, 2])).toEqual(['Masking, pins']);
    expect(traitsOf(layers.masking({ maskValue: 0 }), [3, 2])).toEqual([]);
  });
});
