import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { outputPart } from '../../../src/network/layers/output-part.js';

const shapes = [
  [null, 2, 2],
  [null, 3],
  [null, 1],
];

describe('several outputs of a layer', () => {
  const layer = tfl.layers.dense({ units: 1, name: 'many' });

  it('travel as one tensor and come apart as they were', () => {
    tf.tidy(() => {
      const outputs = shapes.map((shape, i) =>
        tf.randomUniform([5, ...(shape.slice(1) as number[])], -1, 1, 'float32', i + 1),
      );
      // As the generic rule packs them.
      const packed = tf.concat(
        outputs.map((output): tf.Tensor2D => tf.reshape(output, [5, -1])),
        1,
      );
      expect(packed.shape).toEqual([5, 8]);
      outputs.forEach((output, part) => {
        const { forward } = outputPart(layer, shapes, part);
        const found = forward([packed]).output;
        expect(found.shape).toEqual(output.shape);
        expect(found.arraySync()).toEqual(output.arraySync());
      });
    });
  });

  it('get deltas that are 0 where the others stand', () => {
    tf.tidy(() => {
      const { backward } = outputPart(layer, shapes, 1);
      const call = { saved: [], inputShapes: [[1, 8]] };
      const [found] = backward(
        call,
        tf.tensor2d([
          [1, 2, 3],
          [4, 5, 6],
        ]),
        2,
      );
      expect(found!.arraySync()).toEqual([
        [0, 0, 0, 0, 1, 2, 3, 0],
        [0, 0, 0, 0, 4, 5, 6, 0],
      ]);
    });
  });

  it('are refused in one line where one has an open length', () => {
    const open = () =>
      outputPart(
        layer,
        [
          [null, null, 2],
          [null, 3],
        ],
        1,
      );
    expect(open).toThrow(/^Layer 'many' \(Dense\) has several outputs, one of open length: .+\.$/);
    expect(open).not.toThrow(/\n/);
  });
});
