import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { rowAssumptions } from '../../src/measure/assumptions.js';
import { lossForm } from '../../src/measure/loss-inputs.js';
import { subjectOfModel } from '../../src/measure/subject.js';

const { layers } = tfl;
const model = tfl.sequential({ layers: [layers.dense({ units: 3, inputShape: [2], name: 'logits' })] });
const loss = 'softmaxCrossEntropy';
const dataset = { iterator: async () => ({ next: async () => ({ done: true, value: undefined }) as const }) };

describe('lossForm', () => {
  it('is what may come with the inputs or stands in the options', () => {
    const x = tf.zeros([2, 2]);
    const none = { labels: false, sampleWeight: false };
    expect(lossForm(x, ['x'], {})).toEqual(none);
    expect(lossForm(x, ['x'], { labels: x })).toEqual({ ...none, labels: true });
    expect(lossForm({ xs: x, ys: x }, ['x'], { sampleWeight: [1, 1] })).toEqual({ labels: true, sampleWeight: true });
    expect(lossForm({ xs: x, sampleWeight: [1, 1] }, ['x'], {})).toEqual({ ...none, sampleWeight: true });
    expect(lossForm(dataset, ['x'], {})).toEqual({ labels: true, sampleWeight: true });
    // A model may have inputs by these names.
    expect(lossForm({ xs: x, ys: x }, ['xs', 'ys'], {})).toEqual(none);
    expect(lossForm({ xs: x, ys: x }, ['xs'], {})).toEqual({ ...none, labels: true });
    x.dispose();
  });
});

describe('lossInputs', () => {
  const xs = () => tf.zeros([2, 2]);

  it('are weights, then sums of rows; of a dataset without either all are 1, which is noted', async () => {
    const subject = subjectOfModel(model, { loss }, { labels: true, sampleWeight: true });
    expect(subject.heads).toMatchObject([{ weights: 1, rowSums: 2, labels: null }]);
    expect(subject.rows()).toEqual({ assumed: [], uneven: [] });
    const [x, ys] = [xs(), tf.tensor2d([[0.2, 0.3, 0.5], [1, 0, 1]])]; // biome-ignore format: one line a tensor
    const before = tf.memory().numTensors;
    const given = await subject.lossInputs([x], { labels: ys, sampleWeight: [3, 4] });
    expect(given.map((each) => Array.from(each.dataSync(), (value) => Number(value.toFixed(5))))).toEqual([[3, 4], [1, 2]]); // biome-ignore format: one line a batch
    expect(subject.rows()).toEqual({ assumed: [], uneven: ['logits'] });
    const ones = await subject.lossInputs([x], {});
    expect(ones.map((each) => [...each.dataSync()])).toEqual([[1, 1], [1, 1]]); // biome-ignore format: one line a batch
    expect(subject.rows()).toEqual({ assumed: ['logits'], uneven: ['logits'] });
    tf.dispose([given, ones]);
    const wide = tf.zeros([2, 5]);
    await expect(subject.lossInputs([x], { labels: wide, sampleWeight: [3, 4] })).rejects.toThrow(/takes \[2, 3\]/);
    wide.dispose();
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([x, ys]);
  });

  it('take rows for granted where there cannot be any, if that matters', () => {
    expect(subjectOfModel(model, { loss }).rows().assumed).toEqual(['logits']);
    expect(subjectOfModel(model, { loss: 'meanSquaredError' }).rows().assumed).toEqual([]);
  });
});

describe('rowAssumptions', () => {
  it('are a sentence for each note', () => {
    expect(rowAssumptions({ assumed: [], uneven: [] })).toEqual([]);
    expect(rowAssumptions({ assumed: ['a', 'b'], uneven: ['c'] })).toEqual([
      expect.stringMatching(/^Every row of targets of 'a' and 'b' is taken to add up to 1, .*\.$/),
      expect.stringMatching(/^Rows of labels of 'c' do not add up to 1: .*\.$/),
    ]);
  });
});
