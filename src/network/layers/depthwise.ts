import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { activationOf } from './activation.js';
import { channelsFirst } from './channels-first.js';
import { matrixProduct } from './dense.js';
import { generic } from './generic.js';
import { kernelAndBias } from './kernel-and-bias.js';
import type { Layer, Operation } from './operation.js';
import { dilateKernel, type Geometry, patches, spreadForTranspose } from './patches.js';
import type { LayerRule, ParameterOf } from './rule.js';
import { joinPositions } from './squared-norms.js';

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
 * Squared norm of the gradient of a depthwise kernel, summed over columns. Every input channel has a kernel of its own, so
 * that the gradient is one matrix product a sample and channel: G_rc = sum_t a_tc d_rtc^T.
 *
 * @param inputs patches, [N, P, T * C].
 * @param delta [R * N, P, C * M].
 * @returns [N].
 */
function depthwiseSquaredNorm(inputs: tf.Tensor3D, delta: tf.Tensor3D, columns: number, channels: number) {
  const [samples, positions, fanIn] = inputs.shape;
  const multiplier = delta.shape[2] / channels;
  const taps = fanIn / channels;
  const seen = tf.transpose(tf.reshape(inputs, [samples, positions, taps, channels]), [0, 3, 2, 1]);
  // Columns to the last axis, then positions behind channels.
  const columnsLast = tf.transpose(tf.reshape(delta, [columns, -1]), [1, 0]);
  const rest = multiplier * columns;
  const ofChannel = tf.transpose(tf.reshape(columnsLast, [samples, positions, channels, rest]), [0, 2, 1, 3]);
  const batch = samples * channels;
  const gradient = tf.matMul(
    tf.reshape(seen, [batch, taps, positions]),
    tf.reshape(ofChannel, [batch, positions, rest]),
  );
  return tf.sum(tf.square(tf.reshape(gradient, [samples, -1])), 1);
}

/**
 * Gradient of a depthwise kernel for one column, summed over samples: one matrix product a channel.
 *
 * @param inputs patches, [N, P, T * C].
 * @param delta [N, P, C * M].
 * @returns [T, C, M].
 */
function depthwiseGradient(inputs: tf.Tensor3D, delta: tf.Tensor3D, channels: number): tf.Tensor {
  const rows = inputs.shape[0] * inputs.shape[1];
  const seen = tf.transpose(tf.reshape(inputs, [rows, -1, channels]), [2, 1, 0]);
  const ofChannel = tf.transpose(tf.reshape(delta, [rows, channels, -1]), [1, 0, 2]);
  return tf.transpose(tf.matMul(seen, ofChannel), [1, 0, 2]);
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

  return kernelAndBias(layer, layer.depthwiseKernel, biasVariable, parameter, {
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
      kernel(calls, delta, columns) {
        const inputs = joinPositions(calls.map((call) => patches(call.saved[0], geometry)));
        return depthwiseSquaredNorm(inputs, delta, columns, channels);
      },
    },
    kernelGradient: (calls, delta) =>
      depthwiseGradient(joinPositions(calls.map((call) => patches(call.saved[0], geometry))), delta, channels),
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
    return generic(layer, parameter);
  }
  const [, , fanIn, fanOut] = layer.pointwiseKernel.shape as number[];
  const matrix = () => tf.reshape(layer.pointwiseKernel.read(), [fanIn, fanOut]) as tf.Tensor2D;
  return [
    depthwise(layer, layer.dilationRate, null, parameter),
    kernelAndBias(layer, layer.pointwiseKernel, layer.bias, parameter, matrixProduct(matrix, fanIn, fanOut)),
    ...activationOf(layer),
  ];
};
