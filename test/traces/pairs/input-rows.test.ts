import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bytesOfRows, gatherRows, readRows, stackRows } from '../../../src/traces/pairs/input-rows.js';

let inputs: tf.Tensor[];
let before: number;

beforeEach(() => {
  const images = tf.tensor3d(
    Array.from({ length: 24 }, (_, i) => i / 8),
    [4, 3, 2],
  );
  inputs = [images, tf.tensor2d([8, 7, 6, 5], [4, 1], 'int32')];
  before = tf.memory().numTensors;
});

afterEach(() => {
  expect(tf.memory().numTensors).toBe(before);
  tf.dispose(inputs);
});

const image = (n: number) => Array.from({ length: 6 }, (_, i) => (6 * n + i) / 8);

describe('input rows', () => {
  it('are gathered of every input, in the order asked for', () => {
    const [images, tokens] = gatherRows(inputs, [2, 0, 2]) as [tf.Tensor, tf.Tensor];
    expect([images.shape, tokens.shape, tokens.dtype]).toEqual([[3, 3, 2], [3, 1], 'int32']);
    expect([...images.dataSync()]).toEqual([2, 0, 2].flatMap(image));
    expect([...tokens.dataSync()]).toEqual([6, 8, 6]);
    tf.dispose([images, tokens]);
  });

  it('are read one by one, and stacked to the tensors that they come from', async () => {
    const rows = await readRows(inputs, [3, 1]);
    expect(rows.map((row) => row.map((values) => [...values]))).toEqual([
      [image(3), [5]],
      [image(1), [7]],
    ]);
    inputs.forEach(({ shape, dtype }, i) => {
      const stacked = stackRows(
        rows.map((row) => row[i]!),
        shape.slice(1),
        dtype,
      );
      expect([stacked.shape, stacked.dtype]).toEqual([[2, ...shape.slice(1)], dtype]);
      expect([...stacked.dataSync()]).toEqual(i === 0 ? [3, 1].flatMap(image) : [5, 7]);
      stacked.dispose();
    });
    expect(await readRows(inputs, [])).toEqual([]);
  });

  it('leave nothing behind where one input is gone', async () => {
    const gone = tf.tensor1d([1, 2, 3, 4]);
    gone.dispose();
    expect(() => gatherRows([...inputs, gone], [0])).toThrow();
    await expect(readRows([...inputs, gone], [0])).rejects.toThrow();
  });

  it('take four bytes a number', () => {
    expect(bytesOfRows(inputs)).toBe(4 * 7);
  });
});
