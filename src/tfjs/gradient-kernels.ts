import * as tf from '@tensorflow/tfjs-core';

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
