import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { placesOf } from '../../../src/network/layers/recurrent-states.js';

const layer = tfl.layers.dense({ units: 1 });
/** Three steps of one sample, and a state behind them. */
const rows = [
  [1, 2],
  [3, 4],
  [5, 6],
  [7, 8],
];

describe('what comes out of a recurrence with its states', () => {
  it.each<[string, number, number | undefined, number[][] | number[]]>([
    ['all steps', 0, -1, rows.slice(0, 3)],
    ['all places', 0, 0, rows],
    ['the last step', -2, undefined, rows[2]!],
    ['the first step', 0, undefined, rows[0]!],
    ['the state behind', -1, undefined, rows[3]!],
  ])('is cut out, and its delta put back: %s', (_, begin, end, expected) => {
    tf.tidy(() => {
      const { forward, backward } = placesOf(layer, 'part', begin, end);
      const { output } = forward([tf.tensor3d([rows])]);
      expect(output.arraySync()).toEqual([expected]);
      const delta = tf.concat([output, tf.mul(output, 2)]);
      const [back] = backward({ saved: [], inputShapes: [[1, 4, 2]] }, delta, 2);
      const kept = rows.map((row) => ([expected].flat(2).includes(row[0]!) ? row : [0, 0]));
      expect(back!.arraySync()).toEqual([kept, kept.map((row) => row.map((x) => 2 * x))]);
    });
  });
});
