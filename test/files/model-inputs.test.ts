import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterAll, expect, test } from 'vitest';
import { modelInputs, randomInputs } from '../../src/files/model-inputs.js';
import type { Samples } from '../../src/files/samples.js';

const models: tfl.LayersModel[] = [];
afterAll(() => {
  for (const model of models) {
    model.dispose();
  }
});

function modelOf(...shapes: (number | null)[][]): tfl.LayersModel {
  const inputs = shapes.map((shape, i) => tfl.input({ shape, name: `in${i}-${models.length}` }));
  const model = tfl.model({
    inputs,
    outputs: inputs.map((each) => tfl.layers.activation({ activation: 'relu' }).apply(each) as tfl.SymbolicTensor),
  });
  models.push(model);
  return model;
}

const samples = (...shape: number[]): Samples => ({
  shape,
  values: Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, i) => i),
});
const shapesOf = (tensors: tf.Tensor[]) => {
  const shapes = tensors.map(({ shape }) => shape.join());
  tf.dispose(tensors);
  return shapes;
};
const of = (model: tfl.LayersModel, ...arrays: [string, Samples][]) =>
  shapesOf(modelInputs(model, new Map(arrays), 100));

test('samples get the shape of the input where it is the same but for axes of 1, or where either is flat', () => {
  const image = modelOf([4, 4, 1]);
  for (const shape of [
    [3, 4, 4, 1],
    [3, 4, 4],
    [3, 16],
  ]) {
    expect(of(image, ['any', samples(...shape)])).toEqual(['3,4,4,1']);
  }
  expect(of(modelOf([16]), ['', samples(3, 4, 4)])).toEqual(['3,16']);
  expect(of(modelOf([1]), ['', samples(3)])).toEqual(['3,1']);
  expect(of(modelOf([null, 2]), ['', samples(3, 5, 2)])).toEqual(['3,5,2']);
});

test.each<[input: (number | null)[], given: number[]]>([
  [
    [4, 4, 1],
    [3, 5, 5],
  ],
  [
    [4, 4, 1],
    [3, 2, 8],
  ],
  [[4], [3, 5]],
  [[4], [4]],
  [
    [null, 2],
    [3, 10],
  ],
])('for %j there is no way to take %j', (input, given) => {
  expect(() => of(modelOf(input), ['', samples(...given)])).toThrow(
    /have shape \[.*\], but the model takes \[any, .*\]: samples come first/,
  );
});

test('arrays go to inputs by name, and arr_0, arr_1, ... in order', () => {
  const two = modelOf([2], [3]);
  const [first, second] = two.inputNames;
  expect(of(two, [second!, samples(5, 3)], [first!, samples(5, 2)])).toEqual(['5,2', '5,3']);
  expect(of(two, ['arr_0', samples(5, 2)], ['arr_1', samples(5, 3)])).toEqual(['5,2', '5,3']);
  expect(() => of(two, [first!, samples(5, 2)])).toThrow(`no array for the input '${second}', only ${first}`);
  expect(() => of(modelOf([2]), ['x_train', samples(5, 2)], ['x_test', samples(5, 2)])).toThrow(
    /only x_train, x_test: .*FILE\.npz#ARRAY/,
  );
});

test('at most so many samples, times a factor', () => {
  const [x] = modelInputs(modelOf([2]), new Map([['', samples(3, 2)]]), 2, 1 / 2);
  expect([x!.shape, [...x!.dataSync()]]).toEqual([
    [2, 2],
    [0, 0.5, 1, 1.5],
  ]);
  x!.dispose();
});

test('random samples are those of their seed, and words where an Embedding reads them', () => {
  const model = modelOf([2]);
  const drawn = (seed: number) => {
    const [x] = randomInputs(model, 50, seed);
    const values = [...x!.dataSync()];
    x!.dispose();
    return values;
  };
  expect(drawn(1)).toEqual(drawn(1));
  expect(drawn(1)).not.toEqual(drawn(2));
  const words = tfl.sequential({ layers: [tfl.layers.embedding({ inputDim: 5, outputDim: 1, inputShape: [4] })] });
  models.push(words);
  const [x] = randomInputs(words, 50, 1);
  expect(new Set(x!.dataSync())).toEqual(new Set([0, 1, 2, 3, 4]));
  x!.dispose();
  const [left, right] = [tfl.input({ shape: [4] }), tfl.input({ shape: [4] })];
  const shared = tfl.layers.embedding({ inputDim: 5, outputDim: 1 });
  const outputs = [left, right].map((each) => shared.apply(each) as tfl.SymbolicTensor);
  const siamese = tfl.model({ inputs: [left, right], outputs });
  models.push(siamese);
  for (const each of randomInputs(siamese, 50, 1)) {
    expect(new Set(each.dataSync())).toEqual(new Set([0, 1, 2, 3, 4]));
    each.dispose();
  }
  const outer = tfl.input({ shape: [4] });
  const nested = tfl.model({ inputs: outer, outputs: words.apply(outer) as tfl.SymbolicTensor });
  const [inner] = randomInputs(nested, 50, 1);
  expect(new Set(inner!.dataSync())).toEqual(new Set([0, 1, 2, 3, 4]));
  inner!.dispose();
  expect(() => randomInputs(modelOf([null, 2]), 5, 1)).toThrow(/open shape \[any, any, 2\]: give --data/);
});
