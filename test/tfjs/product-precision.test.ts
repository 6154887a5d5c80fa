import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { bitsOfProducts, findBitsOfProducts } from '../../src/tfjs/product-precision.js';
import { type Rounding, roundProducts } from '../measure/rounded-kernels.js';

describe('bitsOfProducts', () => {
  let undo = () => {};
  afterEach(() => {
    undo();
    undo = () => {};
  });

  it('looks again where it failed the first time', async () => {
    const before = tf.memory().numTensors;
    const read = vi.spyOn(tf.Tensor.prototype, 'data').mockRejectedValueOnce(new Error('no memory'));
    await expect(bitsOfProducts()).rejects.toThrow('no memory');
    read.mockRestore();
    expect(await bitsOfProducts()).toBe(Number.POSITIVE_INFINITY);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('finds products of float32 exact, and looks once', async () => {
    const before = tf.memory().numTensors;
    expect(await findBitsOfProducts()).toBe(Number.POSITIVE_INFINITY);
    expect(await bitsOfProducts()).toBe(Number.POSITIVE_INFINITY);
    expect(tf.memory().numTensors).toBe(before);
    expect(bitsOfProducts()).toBe(bitsOfProducts());
  });

  it.each<[number, Rounding]>([
    [10, 'nearest'],
    [10, 'cut'],
    [7, 'nearest'],
    [13, 'cut'],
  ])('finds %i bits, the rest going to the %s', async (bits, rounding) => {
    undo = roundProducts(bits, rounding);
    expect(await findBitsOfProducts()).toBe(bits);
  });

  it('sees convolutions alone', async () => {
    undo = roundProducts(10, 'nearest', ['Conv2D']);
    expect(await findBitsOfProducts()).toBe(10);
  });
});
