import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import type { Layer, Operation } from '../operation.js';
import { biasSquaredNorm, joinPositions, kernelSquaredNorm } from '../squared-norms.js';
import { activationOf } from './activation.js';
import { generic } from './generic.js';
import type { LayerRule } from './rule.js';

interface ConvolutionLayer extends Layer {
  rank: number;
  kernel: LayerVariable;
  bias: LayerVariable | null;
  strides: number[];
  padding: 'valid' | 'same' | 'causal';
  dilationRate: number | number[];
  dataFormat: string;
}

type Pair = [number, number];
type Shape4 = [number, number, number, number];

interface Geometry {
  readonly kernelSize: Pair;
  readonly strides: Pair;
  readonly dilation: Pair;
  readonly padding: 'valid' | 'same';
}

/** Zeros between the taps of a kernel: [h, w, ...] -> [(h - 1) dh + 1, (w - 1) dw + 1, ...]. */
function dilateKernel(kernel: tf.Tensor4D, [dh, dw]: Pair): tf.Tensor4D {
  if (dh === 1 && dw === 1) {
    return kernel;
  }
  const [h, w, fanIn, fanOut] = kernel.shape;
  const rows = tf.pad(tf.reshape(kernel, [h, 1, w * fanIn * fanOut]), [
    [0, 0],
    [0, dh - 1],
    [0, 0],
  ]);
  const both = tf.pad(tf.reshape(rows, [h * dh * w, 1, fanIn * fanOut]), [
    [0, 0],
    [0, dw - 1],
    [0, 0],
  ]);
  const filled = tf.reshape(both, [h * dh, w * dw, fanIn, fanOut]);
  return tf.slice(filled, [0, 0, 0, 0], [(h - 1) * dh + 1, (w - 1) * dw + 1, fanIn, fanOut]) as tf.Tensor4D;
}

/** What the kernel sees at each output position: [N, H, W, C] -> [N, P, h w C], in the order of the kernel's axes. */
function patches(x: tf.Tensor4D, { kernelSize: [h, w], strides: [sh, sw], dilation, padding }: Geometry): tf.Tensor3D {
  const [samples, , , channels] = x.shape;
  const info = tf.backend_util.computeConv2DInfo(x.shape, [h, w, channels, 1], [sh, sw], dilation, padding);
  const { outHeight, outWidth, padInfo } = info;
  const positions = outHeight * outWidth;
  if (h === 1 && w === 1 && sh === 1 && sw === 1) {
    return tf.reshape(x, [samples, positions, channels]);
  }
  const { top, bottom, left, right } = padInfo;
  const padded =
    top + bottom + left + right > 0
      ? tf.pad(x, [
          [0, 0],
          [top, bottom],
          [left, right],
          [0, 0],
        ])
      : x;
  const taps: tf.Tensor[] = [];
  for (let i = 0; i < h; i++) {
    for (let j = 0; j < w; j++) {
      const begin = [0, i * dilation[0], j * dilation[1], 0] as Shape4;
      const extent = [(outHeight - 1) * sh + 1, (outWidth - 1) * sw + 1];
      const size = [samples, extent[0], extent[1], channels] as Shape4;
      const end = begin.map((b, axis) => b + size[axis]) as Shape4;
      const strided = sh > 1 || sw > 1;
      const tap = strided ? tf.stridedSlice(padded, begin, end, [1, sh, sw, 1]) : tf.slice(padded, begin, size);
      taps.push(tf.reshape(tap, [samples, positions, channels]));
    }
  }
  return tf.concat(taps, 2) as tf.Tensor3D;
}

/**
 * Convolution in one or two dimensions, with the channels last. A 1-d convolution is a 2-d one of height 1; causal padding
 * and channels-first layers go the generic way.
 */
export const convolution: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as ConvolutionLayer;
  if (layer.padding === 'causal' || layer.dataFormat === 'channelsFirst') {
    return generic(layer, parameter);
  }
  const asPair = (value: number | number[]): Pair => {
    const values = typeof value === 'number' ? Array(layer.rank).fill(value) : value;
    return (values.length === 1 ? [1, values[0]] : values) as Pair;
  };
  const kernelShape = layer.kernel.shape as number[];
  const kernelShape4d = (layer.rank === 1 ? [1, ...kernelShape] : kernelShape) as Shape4;
  const geometry: Geometry = {
    kernelSize: [kernelShape4d[0], kernelShape4d[1]],
    strides: asPair(layer.strides),
    dilation: asPair(layer.dilationRate),
    padding: layer.padding,
  };
  const kernel = parameter(layer.kernel, 'kernel');
  const bias = layer.bias ? parameter(layer.bias, 'bias') : null;
  const asImage = (x: tf.Tensor) => {
    const [samples, ...shape] = x.shape;
    return (layer.rank === 1 ? tf.reshape(x, [samples, 1, ...shape] as Shape4) : x) as tf.Tensor4D;
  };
  const fromImage = (x: tf.Tensor, shape: readonly number[]) => tf.reshape(x, shape as number[]);
  const kernel4d = () => tf.reshape(layer.kernel.read(), kernelShape4d) as tf.Tensor4D;
  const asPositions = (x: tf.Tensor) => tf.reshape(x, [x.shape[0], -1, kernelShape4d[3]]) as tf.Tensor3D;

  const linear: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'affine',
    piecewiseLinear: true,
    parameters: bias ? [kernel, bias] : [kernel],
    forward([x]) {
      const { strides, padding, dilation } = geometry;
      const product = tf.conv2d(asImage(x), kernel4d(), strides, padding, 'NHWC', dilation);
      const image = layer.bias ? tf.add(product, layer.bias.read()) : product;
      const [samples, , ...rest] = image.shape;
      const output = layer.rank === 1 ? fromImage(image, [samples, ...rest]) : image;
      return { output, saved: kernel.trainable ? [x] : [] };
    },
    backward(call, delta) {
      // tf.js has no gradient for dilated convolutions; one with a zero-filled kernel is the same.
      const filled = dilateKernel(kernel4d(), geometry.dilation);
      const inputShape = [delta.shape[0], ...call.inputShapes[0].slice(1)];
      const imageShape = layer.rank === 1 ? [inputShape[0], 1, inputShape[1], inputShape[2]] : inputShape;
      const back = tf.conv2dTranspose(asImage(delta), filled, imageShape as Shape4, geometry.strides, geometry.padding);
      return [fromImage(back, inputShape)];
    },
    squaredNorms(calls, columns) {
      const delta = joinPositions(calls.map((call) => asPositions(call.delta)));
      const norms: (tf.Tensor | null)[] = [null];
      if (kernel.trainable) {
        const inputs = joinPositions(calls.map((call) => patches(asImage(call.saved[0]), geometry)));
        norms[0] = kernelSquaredNorm(inputs, delta, columns);
      }
      if (bias) {
        norms.push(bias.trainable ? biasSquaredNorm(delta, columns) : null);
      }
      return norms;
    },
  };
  return [linear, ...activationOf(layer)];
};
