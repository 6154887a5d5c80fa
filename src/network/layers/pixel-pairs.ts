import * as tf from '@tensorflow/tfjs-core';
import { isNative } from '../../tfjs/backend.js';
import { convolutionFilterGradient } from '../../tfjs/gradient-kernels.js';
import { type Geometry, type Shape4, transposePadding } from './patches.js';

/**
 * Whether the transpose of a convolution is faster by pairs of pixels. The native backend computes output channels side by side,
 * 16 at a time (AVX-512): the transpose of a layer with up to 8 input channels leaves half of them idle or more. Pairs use them, with
 * kernels that are one tap wider; kernels of less than 4 taps gain nothing. Where one pair is all there is, that backend gets the
 * convolution of one channel wrong (all rows but the first, with strides in the other axis).
 *
 * @param kernel shape [h, w, I, O].
 * @param shape of the result, [B, H, W, I].
 */
export function isFasterByPairs([, taps, channels]: Shape4, [, , width]: Shape4, strides: readonly number[]): boolean {
  const saves = channels <= 8 && taps >= 4 && width > 2 && strides.every((stride) => stride === 1);
  return saves && isNative();
}

/**
 * The transpose of a convolution of stride 1 as a convolution that moves by two pixels of a row and makes both: the first channels
 * are those of the left pixel, the others those of the right one, which sees the kernel one tap further on.
 *
 * @param delta [B, h, w, O].
 * @param kernel [kh, kw, I, O].
 * @param shape of the result, [B, H, W, I].
 */
export function convolveBackByPairs(
  delta: tf.Tensor4D,
  kernel: tf.Tensor4D,
  shape: Shape4,
  geometry: Geometry,
): tf.Tensor4D {
  const { padding } = geometry;
  return tf.customGrad((...inputs) => {
    const [d, k, save] = inputs as unknown as [tf.Tensor4D, tf.Tensor4D, tf.GradSaveFunc];
    save([d, k]);
    return {
      value: byPairs(d, k, shape, geometry),
      // Those of the transpose in its plain form.
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => [
        tf.conv2d(dy as tf.Tensor4D, saved[1] as tf.Tensor4D, 1, padding),
        convolutionFilterGradient(dy as tf.Tensor4D, saved[0] as tf.Tensor4D, kernel.shape, padding),
      ],
    };
  })(delta, kernel) as tf.Tensor4D;
}

function byPairs(delta: tf.Tensor4D, kernel: tf.Tensor4D, shape: Shape4, geometry: Geometry): tf.Tensor4D {
  const [batch, height, width, channels] = shape;
  const turned = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2]);
  const shifted = [0, 1].map((tap) =>
    tf.pad(turned, [
      [0, 0],
      [tap, 1 - tap],
      [0, 0],
      [0, 0],
    ]),
  );
  const [rows, [left, right]] = transposePadding(delta.shape, shape, geometry);
  const odd = width % 2;
  const around: [number, number][] = [[0, 0], rows, [left, right + odd], [0, 0]];
  const pairs = tf.conv2d(delta, tf.concat4d(shifted as tf.Tensor4D[], 3), [1, 2], around as ExplicitPadding);
  const image: tf.Tensor4D = tf.reshape(pairs, [batch, height, width + odd, channels]);
  return odd === 0 ? image : tf.slice(image, [0, 0, 0, 0], shape);
}

type ExplicitPadding = Exclude<Parameters<typeof tf.conv2d>[3], string | number>;
