import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { cast } from '../../../src/network/layers/cast.js';

const layer = { name: 'odd', getClassName: () => 'Odd' } as tfl.layers.Layer;

it('another type has no gradient, and holds the scale', () => {
  const operation = cast(layer, 'input of Odd', 'int32');
  expect(operation).toMatchObject({ layer, description: 'input of Odd', scale: 'pins', parameters: [] });
  tf.tidy(() => {
    const { output } = operation.forward([tf.tensor2d([[1.5, -2.5]])]);
    expect([output.dtype, output.arraySync()]).toEqual(['int32', [[1, -2]]]);
    // Two columns of one sample.
    const [back] = operation.backward({ saved: [], inputShapes: [[1, 2]] }, tf.ones([2, 2]), 2);
    expect(back!.arraySync()).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });
});
