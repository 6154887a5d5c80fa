import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { channelsFirst } from '../../../src/network/layers/channels-first.js';
import type { Operation } from '../../../src/network/layers/operation.js';

/** Adds 100 to the first channel of [B, H, W, C]; remembers the shapes that it is shown. */
function firstChannel(shapes: unknown[]): Operation {
  return {
    layer: tfl.layers.reLU({}),
    description: 'first channel',
    scale: 'ties',
    piecewiseLinear: true,
    parameters: [],
    forward([x]) {
      shapes.push(x!.shape);
      const first = tf.reshape(tf.oneHot(tf.tensor1d([0], 'int32'), x!.shape[3]!), [1, 1, 1, -1]);
      return { output: tf.add(x!, tf.mul(first, 100)), saved: [] };
    },
    backward(call, delta) {
      shapes.push(call.inputShapes, delta.shape);
      return [delta];
    },
  };
}

describe('channelsFirst', () => {
  it('shows an operation images with the channels last, and turns back what comes out', () => {
    const shapes: unknown[] = [];
    const operation = channelsFirst(firstChannel(shapes));
    tf.tidy(() => {
      const x = tf.reshape(tf.range(0, 2 * 3 * 4 * 5), [2, 3, 4, 5]);
      const expected = tf.mul(tf.concat([tf.ones([2, 1, 4, 5]), tf.zeros([2, 2, 4, 5])], 1), 100);
      expect(operation.forward([x]).output.arraySync()).toEqual(tf.add(x, expected).arraySync());
      const [back] = operation.backward({ saved: [], inputShapes: [[2, 3, 4, 5]] }, x, 1);
      expect(back!.arraySync()).toEqual(x.arraySync());
    });
    expect(shapes).toEqual([[2, 4, 5, 3], [[2, 4, 5, 3]], [2, 4, 5, 3]]);
  });

  it('turns the deltas of norms, gradients and pieces too', () => {
    const delta = tf.ones([2, 3, 4, 5]);
    const seen: number[][] = [];
    const operation = channelsFirst({
      ...firstChannel([]),
      squaredNorms: ([call]) => {
        seen.push(call!.delta.shape, [...call!.inputShapes[0]!]);
        return [];
      },
      gradients: ([call]) => {
        seen.push(call!.delta.shape);
        return [];
      },
      onPieceOf: (_call, [recorded], [x]) => {
        seen.push(recorded!.shape, x!.shape);
        return x!;
      },
    });
    tf.tidy(() => {
      const call = { saved: [], inputShapes: [[2, 3, 4, 5]] };
      operation.squaredNorms!([{ ...call, delta }], 1);
      operation.gradients!([{ ...call, delta }]);
      expect(operation.onPieceOf!(call, [delta], [delta]).shape).toEqual([2, 3, 4, 5]);
    });
    expect(seen).toEqual(Array(5).fill([2, 4, 5, 3]));
    delta.dispose();
  });

  it('adds no method that the operation does not have', () => {
    const { squaredNorms, gradients, onPieceOf, before } = channelsFirst(firstChannel([]));
    expect([squaredNorms, gradients, onPieceOf, before]).toEqual([undefined, undefined, undefined, undefined]);
  });
});
