import * as tf from '@tensorflow/tfjs-core';
import { backendName, isNative, isSynchronous } from './backend.js';
import { stridedSlice } from './mended-operations.js';
import { seenByWindows, type Windows } from './wasm-memory.js';

/*
 * Kernels that tf.js has for its own gradients only, without a public function.
 */

type Shape4 = [number, number, number, number];

/**
 * Delta of the input of an average pooling without padding. For one with padding too, given the padded image: the kernel divides by
 * the whole window, on the cpu and wasm backends also where part of it lies in the padding and the mean is over the rest.
 *
 * @param delta [B, h, w, C].
 * @param inputShape [B, H, W, C].
 * @returns [B, H, W, C].
 */
export function averagePoolBack(
  delta: tf.Tensor4D,
  inputShape: Shape4,
  size: [number, number],
  strides: [number, number],
): tf.Tensor4D {
  // The kernel reads the shape of its input only.
  const input = tf.zeros(inputShape);
  return tf.engine().runKernel('AvgPoolGrad', { dy: delta, input }, { filterSize: size, strides, pad: 'valid' });
}

/**
 * What a max pooling without padding sends back to its input. Null where the kernel is not known to find the first maximum of each
 * window: wasm's takes the last of several, or the first pixel, and what a GPU does with several nobody says.
 *
 * @param delta of the output, [N, h, w, C].
 * @param input [N, H, W, C].
 * @param output [N, h, w, C].
 * @returns [N, H, W, C].
 */
export function maxPoolBack(
  delta: tf.Tensor4D,
  input: tf.Tensor4D,
  output: tf.Tensor4D,
  size: [number, number],
  strides: [number, number],
): tf.Tensor4D | null {
  return isNative() && isSynchronous()
    ? tf.engine().runKernel('MaxPoolGrad', { dy: delta, input, output }, { filterSize: size, strides, pad: 'valid' })
    : null;
}

/**
 * Gradient of the filter of a convolution of stride 1.
 *
 * @param x input, [B, H, W, I].
 * @param delta of the output, [B, h, w, O].
 * @param filterShape [kh, kw, I, O].
 * @returns in the shape of the filter.
 */
export function convolutionFilterGradient(
  x: tf.Tensor4D,
  delta: tf.Tensor4D,
  filterShape: Shape4,
  padding: 'valid' | 'same',
): tf.Tensor4D {
  const attributes = { strides: [1, 1], pad: padding, dataFormat: 'NHWC', filterShape };
  return tf.engine().runKernel('Conv2DBackpropFilter', { x, dy: delta }, attributes);
}

const DEPTHWISE_GRADIENT = 'DepthwiseConv2dNativeBackpropFilter';

/**
 * Gradients of the filter of a depthwise convolution without padding, one for each image: tf.js has a kernel for their sum, so the
 * images stand beside each other among the channels of one. wasm lacks it: there they are products, for each channel, of what the taps
 * of the filter see with the deltas of all columns.
 *
 * @param x input, [B, H, W, C].
 * @param delta of the output, [R * B, h, w, C * M]: several for each image, which tell the columns apart.
 * @param filterSize kh and kw.
 * @returns [kh * kw, R, B, C * M].
 */
export function depthwiseFilterGradients(
  x: tf.Tensor4D,
  delta: tf.Tensor4D,
  [height, width]: readonly [number, number],
  strides: readonly [number, number],
  dilation: readonly [number, number],
): tf.Tensor4D {
  const [images, tall, wide, channels] = x.shape;
  const [rows, h, w, channelsOut] = delta.shape;
  const columns = rows / images;
  const [multiplier, beside] = [channelsOut / channels, images * channels];
  const sideBySide = (y: tf.Tensor) => (y.shape[0] === 1 ? y : tf.transpose(y, [1, 2, 0, 3]));
  const image: tf.Tensor4D = tf.reshape(sideBySide(x), [1, tall, wide, beside]);
  if (tf.getKernel(DEPTHWISE_GRADIENT, backendName())) {
    const repeated = columns === 1 ? image : tf.tile(image, [1, 1, 1, columns]);
    // A dilated filter is a larger one with zeros, whose gradients nobody asks for.
    const reach = [(height - 1) * dilation[0] + 1, (width - 1) * dilation[1] + 1];
    const found = tf
      .engine()
      .runKernel<tf.Tensor4D>(
        DEPTHWISE_GRADIENT,
        { x: repeated, dy: tf.reshape(sideBySide(delta), [1, h, w, columns * images * channelsOut]) },
        { strides, pad: 'valid', dilations: [1, 1], filterShape: [...reach, columns * beside, multiplier] },
      );
    const isDilated = dilation.some((step) => step > 1);
    const taps = isDilated ? stridedSlice(found, [0, 0, 0, 0], found.shape, [...dilation, 1, 1]) : found;
    return tf.reshape(taps, [height * width, columns, images, channelsOut]);
  }
  const [taps, positions] = [height * width, h * w];
  const windows: Windows = { size: [height, width], strides, dilation, before: [0, 0], positions: [h, w] };
  const seen = tf.reshape(seenByWindows(x, windows), [images, positions, taps, channels]);
  const left = tf.reshape(tf.transpose(seen, [0, 3, 2, 1]), [beside, taps, positions]);
  const byChannel = tf.reshape(delta, [columns, images, positions, channels, multiplier]);
  const right = tf.reshape(tf.transpose(byChannel, [1, 3, 2, 0, 4]), [beside, positions, columns * multiplier]);
  const products = tf.reshape(tf.matMul(left, right), [images, channels, taps, columns, multiplier]);
  return tf.reshape(tf.transpose(products, [2, 3, 0, 1, 4]), [taps, columns, images, channelsOut]);
}
