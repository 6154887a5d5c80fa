import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { LossName } from '../src/curvature/output-hessian.js';
import { checkedLabels } from '../src/labels.js';

async function checked(labels: unknown, loss: LossName, samples: number, outputs: number) {
  const before = tf.memory().numTensors;
  const tensor = await checkedLabels(labels, loss, samples, outputs);
  const found = { shape: tensor.shape, dtype: tensor.dtype, values: [...tensor.dataSync()] };
  tensor.dispose();
  expect(tf.memory().numTensors).toBe(before);
  if (labels instanceof tf.Tensor) labels.dispose();
  return found;
}

describe('checkedLabels', () => {
  it('takes rows of labels', async () => {
    const rows = tf.tensor2d([[1, 0], [0, 1]], [2, 2], 'int32'); // biome-ignore format: one line a tensor
    expect(await checked(rows, 'softmaxCrossEntropy', 2, 2)).toEqual({
      shape: [2, 2],
      dtype: 'float32',
      values: [1, 0, 0, 1],
    });
    expect((await checked(tf.tensor1d([1, 0, 1]), 'binaryCrossentropy', 3, 1)).shape).toEqual([3, 1]);
    expect((await checked(tf.tensor2d([[7], [-3]]), 'meanSquaredError', 2, 1)).values).toEqual([7, -3]);
  });

  it('takes classes, as [N] or [N, 1], in either dtype', async () => {
    const classes = { shape: [2], dtype: 'int32', values: [2, 0] };
    expect(await checked(tf.tensor1d([2, 0]), 'sparseCategoricalCrossentropy', 2, 3)).toEqual(classes);
    const column = tf.tensor2d([[2], [0]], [2, 1], 'int32');
    expect(await checked(column, 'sparseCategoricalCrossentropy', 2, 3)).toEqual(classes);
  });

  it.each<[string, () => unknown, LossName, RegExp]>([
    ['none', () => undefined, 'categoricalCrossentropy', /labels must be a tensor of shape \[2, 3\].* depend on them/],
    ['an array', () => [1, 2], 'sparseCategoricalCrossentropy', /labels must be a tensor of shape \[2\]/],
    ['too few', () => tf.zeros([1, 3]), 'categoricalCrossentropy', /\[1, 3\].*takes \[2, 3\].*each sample/],
    ['classes for rows', () => tf.zeros([2]), 'categoricalCrossentropy', /\[2\].*takes \[2, 3\]/],
    ['rows for classes', () => tf.zeros([2, 3]), 'sparseCategoricalCrossentropy', /one-hot rows/],
    ['a class beyond', () => tf.tensor1d([0, 3]), 'sparseCategoricalCrossentropy', /3 at sample 1.*from 0 to 2/],
    ['half a class', () => tf.tensor1d([0.5, 1]), 'sparseCategoricalCrossentropy', /0.5 at sample 0/],
    ['signs', () => tf.tensor2d([[1, 0, 0], [0, 0, -1]]), 'sigmoidCrossEntropy', /-1 at sample 1.*0 to 1/], // biome-ignore format: one line a case
    ['not a number', () => tf.fill([2, 3], Number.NaN), 'meanSquaredError', /NaN at sample 0.*finite/],
  ])('refuses %s', async (_name, make, loss, message) => {
    const labels = make();
    const failure = await checkedLabels(labels, loss, 2, 3).catch((error: Error) => error.message);
    expect(failure).toMatch(message);
    expect(failure).not.toContain('\n');
    if (labels instanceof tf.Tensor) labels.dispose();
  });

  it('refuses disposed labels', async () => {
    const labels = tf.zeros([2, 3]);
    labels.dispose();
    await expect(checkedLabels(labels, 'categoricalCrossentropy', 2, 3)).rejects.toThrow('disposed');
  });
});
