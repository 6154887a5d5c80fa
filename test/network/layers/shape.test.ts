import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { checkLayers, image, one, operationsOf, traitsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  Flatten: [
    one('flatten', () => layers.flatten(), image),
    one('flatten channels first', () => layers.flatten({ dataFormat: 'channelsFirst' }), image, {
      plain: plain.flattenChannelsFirst,
    }),
  ],
  Reshape: [one('reshape', () => layers.reshape({ targetShape: [5, 12] }), image)],
  Permute: [one('permute', () => layers.permute({ dims: [2, 3, 1] }), image, { plain: plain.permute })],
  RepeatVector: [one('repeat', () => layers.repeatVector({ n: 3 }), [[5]], { plain: plain.repeatVector })],
  ZeroPadding2D: [
    one(
      'zero padding',
      () =>
        layers.zeroPadding2d({
          padding: [
            [1, 2],
            [0, 3],
          ],
        }),
      image,
    ),
    one('zero padding channels first', () => layers.zeroPadding2d({ padding: 1, dataFormat: 'channelsFirst' }), [
      [2, 3, 3],
    ]),
  ],
  Cropping2D: [
    one(
      'cropping',
      () =>
        layers.cropping2D({
          cropping: [
            [1, 2],
            [0, 3],
          ],
        }),
      image,
      { plain: plain.cropping },
    ),
    one(
      'cropping without a data format',
      () => layers.cropping2D({ cropping: [1, 2], dataFormat: null as unknown as 'channelsFirst' }),
      [[2, 4, 5]],
      { plain: plain.withChannelsFirst(plain.cropping) },
    ),
    one(
      'cropping channels first',
      () =>
        layers.cropping2D({
          cropping: [
            [1, 0],
            [1, 2],
          ],
          dataFormat: 'channelsFirst',
        }),
      [[2, 3, 5]],
      { plain: plain.withChannelsFirst(plain.cropping) },
    ),
  ],
  UpSampling2D: [
    one('upsampling', () => layers.upSampling2d({ size: [2, 3] }), image, { plain: plain.upSampling }),
    one('upsampling, bilinear', () => layers.upSampling2d({ size: [2, 3], interpolation: 'bilinear' }), image, {
      plain: plain.upSampling,
    }),
    one(
      'upsampling channels first',
      () => layers.upSampling2d({ size: [2, 2], dataFormat: 'channelsFirst' }),
      [[2, 3, 2]],
      {
        plain: plain.withChannelsFirst(plain.upSampling),
      },
    ),
  ],
  Dropout: [one('dropout', () => layers.dropout({ rate: 0.5 }), [[5]])],
  SpatialDropout1D: [one('spatial dropout', () => layers.spatialDropout1d({ rate: 0.5 }), [[4, 3]])],
  AlphaDropout: [one('alpha dropout', () => layers.alphaDropout({ rate: 0.5 }), [[5]])],
  GaussianDropout: [one('gaussian dropout', () => layers.gaussianDropout({ rate: 0.5 }), [[5]])],
  GaussianNoise: [one('gaussian noise', () => layers.gaussianNoise({ stddev: 1 }), [[5]])],
});

describe('layers that change the shape', () => {
  it('are linear, let every scale through and keep nothing', () => {
    const images = [
      layers.flatten(),
      layers.reshape({ targetShape: [32] }),
      layers.permute({ dims: [3, 1, 2] }),
      layers.zeroPadding2d({}),
      layers.cropping2D({ cropping: 1 }),
      layers.upSampling2d({}),
    ];
    for (const layer of images) {
      const [operation, ...rest] = operationsOf(layer, [4, 4, 2]);
      expect(rest).toEqual([]);
      expect(operation).toMatchObject({
        scale: 'ties',
        piecewiseLinear: true,
        differentiable: 'linear',
        parameters: [],
      });
      tf.tidy(() => {
        expect(operation!.forward([tf.ones([1, 4, 4, 2])]).saved).toEqual([]);
      });
    }
  });

  it('are no operation at all where they change nothing in inference', () => {
    expect(traitsOf(layers.dropout({ rate: 0.5 }), [4])).toEqual([]);
    expect(traitsOf(layers.gaussianNoise({ stddev: 1 }), [4])).toEqual([]);
  });
});
