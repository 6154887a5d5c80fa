import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { checkedLabels, orderedLabels } from '../../src/measure/labels.js';
import { type LossName, outputHessians } from '../../src/network/output-hessian.js';

async function checked(labels: tf.Tensor, loss: LossName, ...output: (number | null)[]) {
  const before = tf.memory().numTensors;
  const tensor = await checkedLabels(labels, outputHessians[loss].labels, output, 'out');
  const found = { shape: tensor.shape, dtype: tensor.dtype, values: [...tensor.dataSync()] };
  tensor.dispose();
  expect(tf.memory().numTensors).toBe(before);
  labels.dispose();
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

  it('takes labels of positions', async () => {
    const classes = tf.tensor2d([[2, 0], [1, 1]], [2, 2]); // biome-ignore format: one line a tensor
    expect((await checked(classes, 'sparseCategoricalCrossentropy', null, 2, 3)).values).toEqual([2, 0, 1, 1]);
    expect((await checked(tf.ones([2, 4, 1]), 'sparseCategoricalCrossentropy', null, null, 3)).shape).toEqual([2, 4]);
    expect((await checked(tf.ones([2, 4, 3]), 'softmaxCrossEntropy', null, null, 3)).shape).toEqual([2, 4, 3]);
    expect((await checked(tf.ones([2, 4]), 'sigmoidCrossEntropy', null, 4, 1)).shape).toEqual([2, 4, 1]);
  });

  it.each<[string, () => tf.Tensor, LossName, RegExp]>([
    ['classes for rows', () => tf.zeros([2]), 'categoricalCrossentropy', /\[2\].*takes \[2, 3\]/],
    ['rows for classes', () => tf.zeros([2, 3]), 'sparseCategoricalCrossentropy', /one-hot rows/],
    ['a class beyond', () => tf.tensor1d([0, 3]), 'sparseCategoricalCrossentropy', /3 at sample 1.*from 0 to 2/],
    ['half a class', () => tf.tensor1d([0.5, 1]), 'sparseCategoricalCrossentropy', /0.5 at sample 0/],
    ['signs', () => tf.tensor2d([[1, 0, 0], [0, 0, -1]]), 'sigmoidCrossEntropy', /-1 at sample 1.*0 to 1/], // biome-ignore format: one line a case
    ['not a number', () => tf.fill([2, 3], Number.NaN), 'meanSquaredError', /NaN at sample 0.*finite/],
  ])('refuses %s', async (_name, make, loss, message) => {
    const labels = make();
    const failure = await checkedLabels(labels, outputHessians[loss].labels, [null, 3], 'out').catch(
      (error: Error) => error.message,
    );
    expect(failure).toMatch(message);
    expect(failure).not.toContain('\n');
    labels.dispose();
  });
});

describe('orderedLabels', () => {
  it('takes one tensor, a list, or names', () => {
    const [a, b] = [tf.zeros([2]), tf.ones([2])];
    expect(orderedLabels(a, ['x'], 2, 'why')).toEqual([a]);
    expect(orderedLabels([a, b], ['x', 'y'], 2, 'why')).toEqual([a, b]);
    expect(orderedLabels({ y: b, x: a }, ['x', 'y'], 2, 'why')).toEqual([a, b]);
    tf.dispose([a, b]);
  });

  it('says in one line what is missing', () => {
    const [two, three, gone] = [tf.zeros([2]), tf.zeros([3]), tf.zeros([2])];
    gone.dispose();
    expect(() => orderedLabels(undefined, ['x'], 2, 'Something needs labels')).toThrow(
      /^Something needs labels: pass labels/,
    );
    expect(() => orderedLabels(two, ['x', 'y'], 2, '')).toThrow('one tensor for each output (x, y)');
    expect(() => orderedLabels({ x: two }, ['x', 'y'], 2, '')).toThrow('one tensor for each output');
    expect(() => orderedLabels([1] as never, ['x'], 2, '')).toThrow('one tensor for each output');
    expect(() => orderedLabels({ x: two, Y: two }, ['x', 'y'], 2, '')).toThrow("labels: the model has no output 'Y'");
    expect(() => orderedLabels(three, ['x'], 2, '')).toThrow(/3 rows for 2 samples: give one row for each/);
    expect(() => orderedLabels(gone, ['x'], 2, '')).toThrow('disposed');
    tf.dispose([two, three]);
  });
});
