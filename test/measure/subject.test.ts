import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { checkModel, subjectOfModel } from '../../src/measure/subject.js';

const { layers } = tfl;
const model = tfl.sequential({
  name: 'two',
  layers: [
    layers.dense({ units: 4, activation: 'relu', inputShape: [5], name: 'hidden', trainable: false }),
    layers.dense({ units: 3, activation: 'softmax', name: 'head' }),
  ],
});
const loss = 'categoricalCrossentropy';

describe('subjectOfModel', () => {
  it('ends where the loss takes z, before a softmax that belongs to it', () => {
    const { graph, heads, source } = subjectOfModel(model, { loss });
    expect(source).toBe(model);
    expect(graph.steps.map(({ operation }) => operation.description)).toEqual(['Dense', 'relu activation', 'Dense']);
    expect(heads).toMatchObject([{ name: 'head', columns: 2, weights: null, labels: null, hessian: { name: loss } }]);
  });

  it('orders inputs, and takes the items of a dataset apart', () => {
    const { item } = subjectOfModel(model, { loss });
    const [xs, ys] = [tf.zeros([2, 5]), tf.zeros([2, 3])];
    expect(item(xs)).toEqual({ inputs: [xs], labels: undefined });
    expect(item({ xs, ys })).toEqual({ inputs: [xs], labels: ys });
    expect(() => item(ys)).toThrow('has shape [2, 3], but the model takes [any, 5]');
    tf.dispose([xs, ys]);
  });

  it('gives the loss what only it reads: weights first, then labels', async () => {
    const { lossInputs, heads, graph } = subjectOfModel(model, {
      loss,
      sampleWeight: [1, 2],
      method: { hutchinson: 2 },
    });
    const labels = tf.tensor2d([
      [1, 0, 0],
      [0, 0, 1],
    ]);
    const [xs, three] = [tf.zeros([2, 5]), tf.zeros([3, 5])];
    const before = tf.memory().numTensors;
    const [weights, checked] = await lossInputs([xs], { labels, sampleWeight: [1, 2] });
    expect(await weights.data()).toEqual(Float32Array.of(1, 2));
    expect(checked.shape).toEqual([2, 3]);
    expect(heads[0]).toMatchObject({ weights: 1, labels: 2 });
    expect(graph.inputs).toHaveLength(3);
    tf.dispose([weights, checked]);
    await expect(lossInputs([three], { labels, sampleWeight: [1, 2] })).rejects.toThrow(/sampleWeight/);
    await expect(lossInputs([xs], { sampleWeight: [1, 2] })).rejects.toThrow(/pass labels/);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([labels, xs, three]);
  });

  it('says what it leaves out', () => {
    expect(subjectOfModel(model, { loss }).assumptions.join()).toMatch(/frozen weights of 'hidden'/);
    expect(subjectOfModel(model, { loss, countFrozen: true }).assumptions).toEqual([]);
  });
});

describe('checkModel', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['no model', () => ({}), /must be a tf.LayersModel/],
    ['one that is not built', () => tfl.sequential(), /not built/],
    ['one without weights', () => tfl.sequential({ layers: [layers.flatten({ inputShape: [2, 2] })] }), /no weights/],
    [
      'one that is frozen',
      () => tfl.sequential({ layers: [layers.dense({ units: 2, inputShape: [2], trainable: false })] }),
      /countFrozen: true/,
    ],
  ])('refuses %s in one line', (_, make, message) => {
    expect(() => checkModel(make() as tfl.LayersModel)).toThrow(message);
  });
});
