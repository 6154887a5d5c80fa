import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { checkLayers, image, one, operationsOf, traitsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

checkLayers({
  Conv1D: [
    one(
      'conv1d',
      () => layers.conv1d({ filters: 3, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu' }),
      [[7, 2]],
      {
        plain: plain.convolution,
      },
    ),
    one('conv1d dilated', () => layers.conv1d({ filters: 3, kernelSize: 2, dilationRate: 3 }), [[7, 2]], {
      plain: plain.convolution,
    }),
    one(
      'conv1d channels first',
      () => layers.conv1d({ filters: 4, kernelSize: 2, dataFormat: 'channelsFirst' }),
      [[2, 5]],
      { notOn: ['wasm'] },
    ),
  ],
  Conv2D: [
    one('conv2d valid', () => layers.conv2d({ filters: 3, kernelSize: [2, 3] }), image, { plain: plain.convolution }),
    one(
      'conv2d same, stride 2',
      () => layers.conv2d({ filters: 3, kernelSize: 3, strides: 2, padding: 'same' }),
      image,
      { plain: plain.convolution, alsoTwice: true },
    ),
    one(
      'conv2d valid, stride 2 that leaves a rest',
      () => layers.conv2d({ filters: 3, kernelSize: 2, strides: [2, 3] }),
      image,
      { plain: plain.convolution },
    ),
    one('conv2d dilated', () => layers.conv2d({ filters: 3, kernelSize: [2, 3], dilationRate: 2 }), image, {
      plain: plain.convolution,
    }),
    one('conv2d 1x1', () => layers.conv2d({ filters: 3, kernelSize: 1, useBias: false }), image, {
      plain: plain.convolution,
    }),
    one(
      'conv2d channels first',
      () => layers.conv2d({ filters: 3, kernelSize: 2, strides: [1, 2], dataFormat: 'channelsFirst' }),
      [[2, 5, 4]],
      { plain: plain.withChannelsFirst(plain.convolution) },
    ),
  ],
  Conv3D: [
    one('conv3d', () => layers.conv3d({ filters: 3, kernelSize: [2, 3, 2] }), [[4, 3, 4, 2]], {
      plain: plain.convolution,
    }),
    one(
      'conv3d same, strides, relu',
      () =>
        layers.conv3d({ filters: 2, kernelSize: [3, 2, 2], strides: [2, 1, 2], padding: 'same', activation: 'relu' }),
      [[4, 3, 5, 2]],
      { plain: plain.convolution, alsoTwice: true },
    ),
    one('conv3d dilated', () => layers.conv3d({ filters: 2, kernelSize: 2, dilationRate: [2, 1, 3] }), [[4, 3, 5, 2]], {
      plain: plain.convolution,
      notOn: ['tensorflow'],
    }),
    one(
      'conv3d channels first',
      () => layers.conv3d({ filters: 2, kernelSize: 2, dataFormat: 'channelsFirst' }),
      [[2, 3, 3, 4]],
      { plain: plain.withChannelsFirst(plain.convolution) },
    ),
  ],
  Conv2DTranspose: [
    one('conv2dTranspose', () => layers.conv2dTranspose({ filters: 3, kernelSize: [3, 2] }), [[3, 4, 2]], {
      plain: plain.transposedConvolution,
    }),
    one(
      'conv2dTranspose same, strides, relu',
      () => layers.conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu' }),
      [[3, 4, 2]],
      { plain: plain.transposedConvolution, alsoTwice: true },
    ),
    one(
      'conv2dTranspose valid, stride beyond the kernel',
      () => layers.conv2dTranspose({ filters: 3, kernelSize: 2, strides: [3, 2], useBias: false }),
      [[3, 2, 2]],
      { plain: plain.transposedConvolution },
    ),
    one(
      'conv2dTranspose channels first',
      () => layers.conv2dTranspose({ filters: 3, kernelSize: 2, strides: 2, dataFormat: 'channelsFirst' }),
      [[2, 3, 2]],
      { plain: plain.withChannelsFirst(plain.transposedConvolution) },
    ),
  ],
  Conv3DTranspose: [
    one(
      'conv3dTranspose',
      () => layers.conv3dTranspose({ filters: 2, kernelSize: 2, strides: [1, 2, 2] }),
      [[2, 3, 2, 2]],
      {
        plain: plain.transposedConvolution,
      },
    ),
    one(
      'conv3dTranspose same',
      () => layers.conv3dTranspose({ filters: 2, kernelSize: [3, 2, 3], strides: [2, 1, 2], padding: 'same' }),
      [[2, 3, 2, 2]],
      { plain: plain.transposedConvolution },
    ),
  ],
});

it('what tf.js computes in another way than the rule goes the generic way', () => {
  const traits = (dataFormat: 'channelsFirst' | 'channelsLast') =>
    traitsOf(layers.conv1d({ filters: 4, kernelSize: 2, dataFormat, activation: 'relu' }), [4, 4]);
  expect(traits('channelsLast')).toEqual(['Conv1D, affine, kernel, bias', 'relu activation, ties']);
  expect(traits('channelsFirst')).toEqual(['Conv1D, named, kernel, bias']);
});

it('gradients of sharpness pass through convolutions of images that are not dilated', () => {
  const { conv2d, conv3d, conv2dTranspose } = layers;
  const [plain, dilated, volume, transposed] = [
    operationsOf(conv2d({ filters: 2, kernelSize: 2 }), [5, 5, 1]),
    operationsOf(conv2d({ filters: 2, kernelSize: 2, dilationRate: 2 }), [5, 5, 1]),
    operationsOf(conv3d({ filters: 2, kernelSize: 2 }), [5, 5, 5, 1]),
    operationsOf(conv2dTranspose({ filters: 2, kernelSize: 2 }), [5, 5, 1]),
  ].map(([operation]) => operation!.differentiable);
  expect(plain).toBe('smooth');
  expect([dilated, volume, transposed]).toEqual([undefined, undefined, undefined]);
});
