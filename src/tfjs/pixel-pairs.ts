import * as tf from '@tensorflow/tfjs-core';
import { isNative, isSynchronous } from './backend.js';
import { convolutionFilterGradient } from './gradient-kernels.js';

type Shape4 = [number, number, number, number];

/** A convolution of images, as its transpose sees it. */
export interface ImageConvolution {
  /** [B, H, W, I]. */
  readonly inputShape: Shape4;
  readonly strides: [number, number];
  readonly padding: 'valid' | 'same';
  /**
   * Zeros before and behind the height and the width of deltas that stand `strides` apart, so that the kernel, turned around and moving
   * by one pixel, reaches all of the input.
   */
  readonly around: readonly [number, number][];
}

/**
 * Whether the transpose of a convolution is faster by pairs of pixels. On a CPU, the native backend computes output channels side by side,
 * 16 at a time (AVX-512): the transpose of a layer with up to 8 input channels leaves half of them idle or more. Pairs use them, with
 * kernels that are one tap wider; kernels of less than 4 taps gain nothing. Where one pair is all there is, that backend gets the
 * convolution of one channel wrong (all rows but the first, with strides in the other axis).
 *
 * @param kernel shape [h, w, I, O].
 */
export function isFasterByPairs([, taps, channels]: Shape4, { inputShape, strides }: ImageConvolution): boolean {
  const [, , width] = inputShape;
  const saves = channels <= 8 && taps >= 4 && width > 2 && strides.every((stride) => stride === 1);
  return saves && isNative() && isSynchronous();
}

/**
 * The transpose of a convolution of stride 1 as a convolution that moves by two pixels of a row and makes both: the first channels
 * are those of the left pixel, the others those of the right one, which sees the kernel one tap further on.
 *
 * @param delta [B, h, w, O].
 * @param kernel [kh, kw, I, O].
 */
export function convolveBackByPairs(
  delta: tf.Tensor4D,
  kernel: tf.Tensor4D,
  convolution: ImageConvolution,
): tf.Tensor4D {
  const { padding } = convolution;
  return tf.customGrad((...inputs) => {
    const [d, k, save] = inputs as unknown as [tf.Tensor4D, tf.Tensor4D, tf.GradSaveFunc];
    save([d, k]);
    return {
      value: byPairs(d, k, convolution),
      // Those of the transpose in its plain form.
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => [
        tf.conv2d(dy as tf.Tensor4D, saved[1] as tf.Tensor4D, 1, padding),
        convolutionFilterGradient(dy as tf.Tensor4D, saved[0] as tf.Tensor4D, kernel.shape, padding),
      ],
    };
  })(delta, kernel) as tf.Tensor4D;
}

function byPairs(
  delta: tf.Tensor4D,
  kernel: tf.Tensor4D,
  { inputShape, around: [rows, [left, right]] }: ImageConvolution,
): tf.Tensor4D {
  const [batch, height, width, channels] = inputShape;
  const turned = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2]);
  const shifted = [0, 1].map((tap) =>
    tf.pad(turned, [
      [0, 0],
      [tap, 1 - tap],
      [0, 0],
      [0, 0],
    ]),
  );
  const odd = width % 2;
  const around: [number, number][] = [[0, 0], rows, [left, right + odd], [0, 0]];
  const pairs = tf.conv2d(delta, tf.concat4d(shifted as tf.Tensor4D[], 3), [1, 2], around as ExplicitPadding);
  const image: tf.Tensor4D = tf.reshape(pairs, [batch, height, width + odd, channels]);
  return odd === 0 ? image : tf.slice(image, [0, 0, 0, 0], inputShape);
}

type ExplicitPadding = Exclude<Parameters<typeof tf.conv2d>[3], string | number>;
