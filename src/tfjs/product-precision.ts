import * as tf from '@tensorflow/tfjs-core';
import { deviceErrors } from './device-errors.js';

/** Bits behind the leading one that are looked for. float32 has 23, TF32 and half floats 10, bfloat16 7. */
const BITS = 16;
/** Large enough, and of sizes, for which GPUs take their tensor cores. */
const SIZE = 128;
const CHANNELS = 32;

/** By the backend. */
const known = new WeakMap<object, Promise<number>>();

/**
 * How many bits behind the leading one matrix products and convolutions keep of their factors, found out once a backend by a small
 * product of each kind: 10 where a GPU multiplies in TF32 or has half floats only. Infinity: 16 or more, as in float32.
 */
export function bitsOfProducts(): Promise<number> {
  const backend = tf.backend();
  const found = known.get(backend) ?? findBitsOfProducts();
  known.set(backend, found);
  // What failed once, as where no memory was left, is looked for again.
  found.catch(() => known.delete(backend));
  return found;
}

/**
 * The same, looked for again.
 *
 * @throws Error with one line where the device has reported an error meanwhile.
 */
export async function findBitsOfProducts(): Promise<number> {
  const device = deviceErrors();
  try {
    const values = await productsOfBits();
    await device.check();
    const lost = Array.from({ length: BITS }, (_, i) => i).find((i) =>
      [values[i], values[BITS + i]].some((value) => !(Math.abs(value - 1 - 2 ** -(1 + i)) < 2 ** -(3 + i))),
    );
    return lost ?? Number.POSITIVE_INFINITY;
  } finally {
    device.stop();
  }
}

/** 1 + 2^-k of the kth bit, multiplied by 1: of a matrix product, then of a convolution. */
async function productsOfBits(): Promise<ArrayLike<number>> {
  const products = tf.tidy(() => {
    // 1 + 2^-k on the diagonal times 1: exact in float32, and 1 where the bit is lost.
    const diagonal = (size: number) => {
      const factors = Array.from({ length: size }, (_, i) => 1 + 2 ** -(1 + (i % BITS)));
      return tf.mul(tf.eye(size), tf.tensor1d(factors));
    };
    const ofMatrices = tf.matMul(tf.ones([SIZE, SIZE]), diagonal(SIZE) as tf.Tensor2D);
    // Only the middle tap counts. (A window of one pixel would be a matrix product.)
    const middle = tf.reshape(diagonal(CHANNELS), [1, 1, CHANNELS, CHANNELS]);
    const kernel = tf.pad(middle, [[1, 1], [1, 1], [0, 0], [0, 0]]) as tf.Tensor4D; // biome-ignore format: one pair an axis
    const ofImages = tf.conv2d(tf.ones([1, 16, 16, CHANNELS]) as tf.Tensor4D, kernel, 1, 'valid');
    return tf.concat([
      tf.slice(ofMatrices, [0, 0], [1, BITS]),
      tf.slice(tf.reshape(ofImages, [-1, CHANNELS]), [0, 0], [1, BITS]),
    ]);
  });
  try {
    return await products.data();
  } finally {
    products.dispose();
  }
}
