import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // Registers gradients.
import { describe, expect, it } from 'vitest';
import { transposePadding } from '../../src/network/layers/patches.js';
import { convolveBackByPairs, type ImageConvolution, isFasterByPairs } from '../../src/tfjs/pixel-pairs.js';

type Shape4 = [number, number, number, number];

const cases: [string, { size: [number, number]; channels: number; taps: [number, number]; same?: boolean }][] = [
  ['an odd width', { size: [9, 11], channels: 6, taps: [5, 5] }],
  ['an even width', { size: [9, 12], channels: 6, taps: [5, 5] }],
  ['one channel', { size: [6, 7], channels: 1, taps: [2, 4] }],
  ['eight channels', { size: [6, 8], channels: 8, taps: [4, 3] }],
  ['padding, kernels of even size', { size: [7, 9], channels: 3, taps: [4, 4], same: true }],
  ['padding, kernels of odd size', { size: [7, 8], channels: 3, taps: [3, 5], same: true }],
  ['a kernel as wide as the image', { size: [5, 5], channels: 2, taps: [5, 5] }],
];

describe.each(cases)('the transpose of a convolution by pairs of pixels: %s', (_, { size, channels, taps, same }) => {
  const padding = same ? 'same' : 'valid';
  const shape: Shape4 = [3, ...size, channels];
  const [h, w] = same ? size : size.map((length, axis) => length - taps[axis] + 1);
  const geometry = { kernelSize: taps, strides: [1, 1], dilation: [1, 1], padding } as const;
  const convolution: ImageConvolution = {
    inputShape: shape,
    strides: [1, 1],
    padding,
    around: transposePadding([3, h, w, 4], shape, geometry),
  };
  const delta: () => tf.Tensor4D = () => tf.randomUniform([3, h, w, 4], -1, 1, 'float32', 1);
  const kernel: () => tf.Tensor4D = () => tf.randomUniform([...taps, channels, 4], -1, 1, 'float32', 2);
  const plain = (d: tf.Tensor, k: tf.Tensor) =>
    tf.conv2dTranspose(d as tf.Tensor4D, k as tf.Tensor4D, shape, 1, padding);
  const inPairs = (d: tf.Tensor, k: tf.Tensor) => convolveBackByPairs(d as tf.Tensor4D, k as tf.Tensor4D, convolution);
  const largestDifference = (a: tf.Tensor, b: tf.Tensor) => tf.max(tf.abs(tf.sub(a, b))).arraySync();

  it('is the transpose', () => {
    tf.tidy(() => {
      const [found, expected] = [inPairs, plain].map((transpose) => transpose(delta(), kernel()));
      expect(found.shape).toEqual(expected.shape);
      expect(largestDifference(found, expected)).toBeLessThan(1e-5);
    });
  });

  // wasm has no gradient of a convolution's kernel.
  it.skipIf(tf.getBackend() === 'wasm')('has the gradients of the transpose', () => {
    tf.tidy(() => {
      const dy = tf.randomUniform(shape, -1, 1, 'float32', 3);
      const [found, expected] = [inPairs, plain].map((transpose) => tf.grads(transpose)([delta(), kernel()], dy));
      found.forEach((gradient, i) => {
        expect(gradient.shape).toEqual(expected[i].shape);
        expect(largestDifference(gradient, expected[i])).toBeLessThan(1e-4);
      });
    });
  });
});

it('is chosen on the native backend, for few channels and wide kernels that move by one pixel', () => {
  const [kernel, image]: Shape4[] = [
    [5, 5, 6, 16],
    [3, 9, 11, 6],
  ];
  const moving = (inputShape: Shape4, strides: [number, number] = [1, 1]): ImageConvolution => ({
    inputShape,
    strides,
    padding: 'valid',
    around: [],
  });
  const isNative = tf.getBackend() === 'tensorflow';
  expect(isFasterByPairs(kernel, moving(image))).toBe(isNative);
  expect(isFasterByPairs([5, 5, 9, 16], moving(image))).toBe(false);
  expect(isFasterByPairs([5, 3, 6, 16], moving(image))).toBe(false);
  expect(isFasterByPairs(kernel, moving([3, 9, 2, 6]))).toBe(false);
  expect(isFasterByPairs(kernel, moving(image, [1, 2]))).toBe(false);
});
