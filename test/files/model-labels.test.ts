import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterAll, expect, test } from 'vitest';
import { modelLabels, withoutLabels } from '../../src/files/model-labels.js';
import type { Samples } from '../../src/files/samples.js';
import type { Losses } from '../../src/measure/loss.js';

const a = tfl.input({ shape: [2], name: 'a' });
const model = tfl.model({
  inputs: a,
  outputs: [
    tfl.layers.dense({ units: 3, activation: 'softmax', name: 'kind' }).apply(a) as tfl.SymbolicTensor,
    tfl.layers.dense({ units: 1, name: 'size' }).apply(a) as tfl.SymbolicTensor,
  ],
});
afterAll(() => model.dispose());
const samples = (shape: number[], ...values: number[]): Samples => ({ shape, values: Float32Array.from(values) });
const [kind, size] = model.outputNames as [string, string];

function labelsOf(losses: Losses, ...labels: [string, Samples][]) {
  const before = tf.memory().numTensors;
  try {
    const tensors = modelLabels(model, new Map(labels), losses, 2) as tf.NamedTensorMap;
    const plain = Object.fromEntries(Object.entries(tensors).map(([name, each]) => [name, each.arraySync()]));
    tf.dispose(tensors);
    return plain;
  } finally {
    expect(tf.memory().numTensors).toBe(before);
  }
}

test('classes become rows where the loss takes rows, and only there', () => {
  const classes = samples([3], 2, 0, 1);
  const rows = {
    [kind]: [
      [0, 0, 1],
      [1, 0, 0],
    ],
  };
  expect(labelsOf({ [kind]: 'categorical_crossentropy' }, ['', classes])).toEqual(rows);
  expect(labelsOf({ [kind]: 'softmaxCrossEntropy' }, ['', samples([3, 1], 2, 0, 1)])).toEqual(rows);
  expect(labelsOf({ [kind]: 'sparseCategoricalCrossentropy' }, ['', classes])).toEqual({ [kind]: [2, 0] });
  expect(labelsOf({ [kind]: 'categoricalCrossentropy' }, ['', samples([2, 3], 0, 0, 1, 1, 0, 0)])).toEqual(rows);
});

test('of several outputs by name', () => {
  const losses = ['categoricalCrossentropy', 'meanSquaredError'] as const;
  expect(labelsOf(losses, [size, samples([2], 0.5, 1)], [kind, samples([2], 0, 1)])).toEqual({
    [kind]: [
      [1, 0, 0],
      [0, 1, 0],
    ],
    [size]: [0.5, 1],
  });
  expect(() => labelsOf(losses, ['', samples([2], 0, 1)])).toThrow(
    `the model has ${kind}, ${size}: --labels ${kind}=FILE.`,
  );
  expect(() => labelsOf(losses, [kind, samples([2], 0, 1)], ['none', samples([2], 0, 1)])).toThrow(/no output 'none'/);
});

test.each([3, -1, 0.5, Number.NaN])('%d is no class', (stranger) => {
  expect(() => labelsOf({ [kind]: 'categoricalCrossentropy' }, ['', samples([2], 0, stranger)])).toThrow(
    /at number 2: classes are whole numbers from 0 to 2\.$/,
  );
});

test('labels of a file are known by their names, unless an input has that name', () => {
  const x = samples([1], 1);
  const split = (...names: string[]) => {
    const { arrays, labels } = withoutLabels(model, { arrays: new Map(names.map((name) => [name, x])) });
    return [[...arrays.keys()], [...labels.keys()]];
  };
  expect(split('x', 'y')).toEqual([['x'], ['']]);
  expect(split('a', kind, size)).toEqual([['a'], [kind, size]]);
  expect(split('y')).toEqual([['y'], []]);
});
