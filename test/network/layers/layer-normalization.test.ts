import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { unfold } from '../../../src/network/graph.js';
import { checkLayers, one, traitsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  LayerNormalization: [
    one('layer normalization', () => layers.layerNormalization({ gammaInitializer: 'randomNormal' }), [[5]], {
      plain: plain.layerNormalization,
    }),
    one(
      'layer normalization on a sequence',
      () => layers.layerNormalization({ gammaInitializer: 'randomNormal', epsilon: 0.1 }),
      [[3, 5]],
      { plain: plain.layerNormalization },
    ),
    one(
      'layer normalization over other axes',
      () => layers.layerNormalization({ axis: [3, 1], gammaInitializer: 'randomNormal' }),
      [[3, 4, 2]],
      { plain: plain.layerNormalization, alsoTwice: true },
    ),
    ...[1, -1, [2], [-1], [-2, 2]].map((axis) =>
      one(
        `layer normalization with axis ${JSON.stringify(axis)}`,
        () => layers.layerNormalization({ axis: structuredClone(axis), gammaInitializer: 'randomNormal' }),
        [[3, 5]],
        { plain: plain.layerNormalization },
      ),
    ),
    one('layer normalization without scale', () => layers.layerNormalization({ scale: false }), [[3, 5]], {
      plain: plain.layerNormalization,
    }),
    one('layer normalization without center', () => layers.layerNormalization({ center: false }), [[3, 5]], {
      plain: plain.layerNormalization,
    }),
    one('layer normalization alone', () => layers.layerNormalization({ center: false, scale: false }), [[3, 5]], {
      plain: plain.layerNormalization,
    }),
  ],
});

it('layer normalization takes the scale of its input away, then comes a kernel and a bias', () => {
  expect(traitsOf(layers.layerNormalization({}), [4])).toEqual([
    'LayerNormalization, resets',
    'LayerNormalization, affine, kernel, bias',
  ]);
  expect(traitsOf(layers.layerNormalization({ scale: false, center: false }), [4])).toEqual([
    'LayerNormalization, resets',
  ]);
});

it('one along the batch axis is refused', () => {
  const input = tfl.input({ batchShape: [4, 3] });
  const output = layers.layerNormalization({ axis: [0, 1] }).apply(input) as tfl.SymbolicTensor;
  expect(() => unfold(tfl.model({ inputs: input, outputs: output }))).toThrow(
    /works along axis 0, where the samples are/,
  );
});
