import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { checkLayers, image, one, operationsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  AveragePooling1D: [one('average pooling 1d', () => layers.averagePooling1d({ poolSize: 2 }), [[7, 2]])],
  AveragePooling2D: [
    one('average pooling', () => layers.averagePooling2d({ poolSize: 2 }), image),
    one(
      'average pooling same, overlapping',
      () => layers.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
      image,
      { plain: plain.pooling(plain.mean) },
    ),
    one('average pooling same, separate', () => layers.averagePooling2d({ poolSize: [4, 2], padding: 'same' }), image, {
      plain: plain.pooling(plain.mean),
    }),
    one(
      'average pooling channels first',
      () => layers.averagePooling2d({ poolSize: 2, padding: 'same', dataFormat: 'channelsFirst' }),
      [[2, 6, 4]],
    ),
  ],
  AveragePooling3D: [
    one('average pooling 3d', () => layers.averagePooling3d({ poolSize: [1, 2, 2] }), [[4, 6, 5, 2]], {
      plain: plain.pooling(plain.mean),
    }),
    one(
      'average pooling 3d, overlapping, same',
      () => layers.averagePooling3d({ poolSize: 3, strides: 2, padding: 'same' }),
      [[4, 6, 5, 2]],
      { plain: plain.pooling(plain.mean) },
    ),
  ],
  GlobalAveragePooling1D: [one('global average pooling 1d', () => layers.globalAveragePooling1d(), [[7, 2]])],
  GlobalAveragePooling2D: [
    one('global average pooling channels first', () => layers.globalAveragePooling2d({ dataFormat: 'channelsFirst' }), [
      [2, 6, 5],
    ]),
    one('global average pooling', () => layers.globalAveragePooling2d({}), image),
  ],
});

it('average pooling is linear, and keeps nothing', () => {
  for (const layer of [layers.averagePooling2d({ poolSize: 2 }), layers.globalAveragePooling2d({})]) {
    const [operation] = operationsOf(layer, [4, 4, 1]);
    expect(operation).toMatchObject({ scale: 'ties', piecewiseLinear: true, differentiable: 'linear' });
    tf.tidy(() => {
      expect(operation!.forward([tf.ones([1, 4, 4, 1])]).saved).toEqual([]);
    });
  }
});
