import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import * as tf from '@tensorflow/tfjs';

/** Handwritten digits: images [N, pixels] with values from 0 to 1, labels [N, 10], one-hot. */
export interface Digits {
  readonly images: tf.Tensor2D;
  readonly labels: tf.Tensor2D;
}

/**
 * The first `count` digits of `data/mnist5k-train-*` (4,000 digits of 28 x 28) or `data/mnist5k-test-*` (1,000), in IDX files: a magic
 * number, the sizes of the axes (32 bits each, high byte first), then the values, one byte each. They are in random order.
 */
export const mnistDigits = (split: 'train' | 'test', count: number) => digitsOf('mnist5k', split, count);

/** The first `count` digits of `data/digits-train-*` (1,497 digits of 8 x 8) or `data/digits-test-*` (300). */
export const smallDigits = (split: 'train' | 'test', count: number) => digitsOf('digits', split, count);

function digitsOf(name: string, split: string, count: number): Digits {
  const pixels = readIdx(`${name}-${split}-images.idx3.gz`);
  const digits = readIdx(`${name}-${split}-labels.idx1.gz`);
  const [there, height, width] = pixels.shape as [number, number, number];
  if (count > there) {
    throw new Error(`There are ${there} images in the ${split} set, not ${count}.`);
  }
  const size = height * width;
  return tf.tidy(() => ({
    images: tf.tensor2d(
      Float32Array.from(pixels.values.subarray(0, count * size), (value) => value / 255),
      [count, size],
    ),
    labels: tf.oneHot(tf.tensor1d(digits.values.slice(0, count), 'int32'), 10).toFloat() as tf.Tensor2D,
  }));
}

function readIdx(name: string): { shape: number[]; values: Uint8Array } {
  const bytes = gunzipSync(readFileSync(new URL(`../data/${name}`, import.meta.url)));
  const rank = bytes[3];
  const shape = Array.from({ length: rank }, (_, axis) => bytes.readUInt32BE(4 + 4 * axis));
  return { shape, values: bytes.subarray(4 + 4 * rank) };
}
