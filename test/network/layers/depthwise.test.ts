import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { checkLayers, image, one, traitsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  DepthwiseConv2D: [
    one('depthwiseConv2d', () => layers.depthwiseConv2d({ kernelSize: 2 }), image, {
      plain: plain.depthwiseConvolution,
    }),
    one(
      'depthwiseConv2d same, stride, multiplier, relu',
      () =>
        layers.depthwiseConv2d({ kernelSize: 3, strides: 2, depthMultiplier: 3, padding: 'same', activation: 'relu' }),
      image,
      { plain: plain.depthwiseConvolution, alsoTwice: true },
    ),
    one(
      'depthwiseConv2d, stride that leaves a rest, no bias',
      () => layers.depthwiseConv2d({ kernelSize: [2, 1], strides: 3, useBias: false }),
      [[6, 8, 2]],
      { plain: plain.depthwiseConvolution },
    ),
    one(
      'depthwiseConv2d channels first',
      () => layers.depthwiseConv2d({ kernelSize: [2, 3], dataFormat: 'channelsFirst' }),
      [[2, 4, 5]],
      { plain: plain.withChannelsFirst(plain.depthwiseConvolution) },
    ),
  ],
  SeparableConv2D: [
    one('separableConv2d', () => layers.separableConv2d({ filters: 3, kernelSize: 2 }), image, {
      plain: plain.separableConvolution,
    }),
    one(
      'separableConv2d same, stride, multiplier, relu',
      () =>
        layers.separableConv2d({
          filters: 3,
          kernelSize: 3,
          strides: 2,
          depthMultiplier: 2,
          padding: 'same',
          activation: 'relu',
        }),
      image,
      { plain: plain.separableConvolution, alsoTwice: true },
    ),
    one(
      'separableConv2d dilated',
      () =>
        layers.separableConv2d({ filters: 2, kernelSize: 2, dilationRate: [2, 3], depthMultiplier: 2, useBias: false }),
      image,
      { plain: plain.separableConvolution },
    ),
  ],
});

it('a separable convolution has two kernels, each with a scale, unless its channels come first', () => {
  const traits = (dataFormat: 'channelsFirst' | 'channelsLast') =>
    traitsOf(layers.separableConv2d({ filters: 5, kernelSize: 2, dataFormat }), [5, 5, 5]);
  expect(traits('channelsLast')).toEqual(['SeparableConv2D, affine, kernel', 'SeparableConv2D, affine, kernel, bias']);
  expect(traits('channelsFirst')).toEqual(['SeparableConv2D, named, kernel, kernel, bias']);
});
