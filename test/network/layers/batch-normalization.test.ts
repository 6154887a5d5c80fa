import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { checkLayers, image, one, operationsOf, traitsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  BatchNormalization: [
    one(
      'batch normalization',
      () => layers.batchNormalization({ gammaInitializer: 'randomNormal', movingMeanInitializer: 'randomNormal' }),
      image,
    ),
    one('batch normalization on another axis', () => layers.batchNormalization({ axis: 1 }), image, {
      plain: plain.batchNormalization,
      wrongInTfjs: ['cpu', 'wasm'],
    }),
    one('batch normalization without scale', () => layers.batchNormalization({ scale: false }), [[5]], {
      plain: plain.batchNormalization,
    }),
    one('batch normalization without center', () => layers.batchNormalization({ center: false }), [[5]], {
      plain: plain.batchNormalization,
    }),
  ],
});

it('batch normalization has a kernel and a bias, and a mean that follows the scale of its input', () => {
  const layer = layers.batchNormalization({ name: 'bn' });
  const [operation, ...rest] = operationsOf(layer, [4]);
  expect(rest).toEqual([]);
  expect(operation!.parameters.map(({ name, role }) => [name, role])).toEqual([
    ['bn/gamma', 'kernel'],
    ['bn/beta', 'bias'],
  ]);
  expect(operation!.inputStatistics!.map((weight) => (weight as tfl.LayerVariable).originalName)).toEqual([
    'bn/moving_mean',
  ]);
  expect(traitsOf(layers.batchNormalization({ scale: false }), [4])).toEqual(['BatchNormalization, affine, bias']);
});
