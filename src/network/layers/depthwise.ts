import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { depthwiseFilterGradients } from '../../tfjs/gradient-kernels.js';
import { activationOf, kernelsAsWhole } from './activation.js';
import { channelsFirst } from './channels-first.js';
import { matrixProduct } from './dense.js';
import { kernelAndBias } from './kernel-and-bias.js';
import type { CallWithDelta, Layer, Operation } from './operation.js';
import { dilateKernel, type Geometry, padForWindows, spreadForTranspose } from './patches.js';
import type { LayerRule, ParameterOf } from './rule.js';
import { ofChannels, spread } from './sensitivity.js';

interface DepthwiseLayer extends Layer {
  depthwiseKernel: LayerVariable;
  bias: LayerVariable | null;
  strides: [number, number];
  dilationRate: [number, number];
  padding: 'valid' | 'same';
  dataFormat: string;
}

interface SeparableLayer extends DepthwiseLayer {
  pointwiseKernel: LayerVariable;
}

/**
 * Gradients of a depthwise kernel, G = sum_t a_t d_t for each channel by itself, over the calls of the layer.
 *
 * @param calls the input of each in `saved[0]`, [N, H, W, C], and its delta, [R * N, h, w, C * M].
 * @returns [T, R, N, C * M].
 */
function kernelGradients(calls: readonly CallWithDelta[], geometry: Geometry): tf.Tensor4D {
  const [size, strides, dilation] = [geometry.kernelSize, geometry.strides, geometry.dilation] as [number, number][];
  const ofCalls = calls.map(({ saved: [x], delta }) =>
    depthwiseFilterGradients(padForWindows(x as tf.Tensor4D, geometry), delta as tf.Tensor4D, size, strides, dilation),
  );
  return ofCalls.length === 1 ? ofCalls[0] : (tf.addN(ofCalls) as tf.Tensor4D);
}

/** A convolution of each channel by itself, without activation: [N, H, W, C] -> [N, h, w, C * M]. */
function depthwise(
  layer: DepthwiseLayer,
  dilation: [number, number],
  biasVariable: LayerVariable | null,
  parameter: ParameterOf,
): Operation {
  const [height, width, channels, multiplier] = layer.depthwiseKernel.shape as number[];
  const geometry: Geometry = {
    kernelSize: [height, width],
    strides: layer.strides,
    dilation,
    padding: layer.padding === 'same' ? 'same' : 'valid',
  };

  /** Channel by channel, as in a convolution: [N, 1, 1, C], and [C, M] for each channel's outputs, to [N, 1, 1, C M]. */
  const toOutputs = (q: tf.Tensor, ofChannel: tf.Tensor) => {
    const [samples] = q.shape;
    const whole = spread(q, [samples, 1, 1, channels]);
    const each = tf.mul(tf.reshape(whole, [samples, channels, 1]), tf.expandDims(ofChannel, 0));
    return tf.reshape(each, [samples, 1, 1, channels * multiplier]);
  };

  return kernelAndBias(layer, layer.depthwiseKernel, biasVariable, parameter, {
    squares: {
      ofKernel: (squares) => tf.sum(squares, [0, 1]),
      through: (q, ofTaps) => toOutputs(ofChannels(q), ofTaps),
      inputs: (x) => toOutputs(tf.mean(tf.square(x), [1, 2], true), tf.ones([channels, multiplier])),
    },
    product: (x) =>
      tf.depthwiseConv2d(
        x as tf.Tensor4D,
        layer.depthwiseKernel.read() as tf.Tensor4D,
        layer.strides,
        geometry.padding,
        'NHWC',
        dilation,
      ),
    /**
     * The transpose is a depthwise convolution too, with the kernel turned around; then the outputs of one channel add up.
     * (wasm has no other kernel for it.)
     */
    backward({ inputShapes }, delta) {
      const filled = dilateKernel(layer.depthwiseKernel.read(), dilation);
      const [reachHeight, reachWidth] = filled.shape;
      const turned = tf.reshape(tf.reverse(filled, [0, 1]), [reachHeight, reachWidth, channels * multiplier, 1]);
      const padded = spreadForTranspose(delta, inputShapes[0], geometry) as tf.Tensor4D;
      const back = tf.depthwiseConv2d(padded, turned as tf.Tensor4D, 1, 'valid');
      const [rows, h, w] = back.shape;
      const pixels = tf.reshape(back, [rows, h * w, channels, multiplier]);
      return [tf.reshape(multiplier === 1 ? pixels : tf.sum(pixels, 3), [rows, h, w, channels])];
    },
    norms: {
      kernel: (calls) => tf.sum(tf.sum(tf.square(kernelGradients(calls, geometry)), 3), [0, 1]),
    },
    kernelProducts(calls) {
      const [byTap] = tf.unstack(kernelGradients(calls, geometry), 1);
      const [taps, samples, outputs] = byTap.shape as [number, number, number];
      return { deltas: tf.reshape(tf.transpose(byTap, [1, 0, 2]), [samples, 1, taps * outputs]) };
    },
  });
}

/** DepthwiseConv2D. tf.js ignores the layer's `dilationRate`. */
export const depthwiseConvolution: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as DepthwiseLayer;
  const linear = depthwise(layer, [1, 1], layer.bias, parameter);
  return [layer.dataFormat === 'channelsFirst' ? channelsFirst(linear) : linear, ...activationOf(layer)];
};

/**
 * A depthwise convolution and then one of 1 x 1: two kernels, each free to change the scale. With the channels first, tf.js
 * adds the bias along the wrong axis: what comes of it goes the generic way.
 */
export const separableConvolution: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as SeparableLayer;
  if (layer.dataFormat === 'channelsFirst') {
    return kernelsAsWhole(layer, [layer.depthwiseKernel, layer.pointwiseKernel], layer.bias, parameter);
  }
  const [, , fanIn, fanOut] = layer.pointwiseKernel.shape as number[];
  const matrix = () => tf.reshape(layer.pointwiseKernel.read(), [fanIn, fanOut]) as tf.Tensor2D;
  return [
    depthwise(layer, layer.dilationRate, null, parameter),
    kernelAndBias(layer, layer.pointwiseKernel, layer.bias, parameter, matrixProduct(matrix, fanIn, fanOut)),
    ...activationOf(layer),
  ];
};
