import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { giveWeights, type KerasWeight } from '../../src/files/keras-weights.js';
import { disposeModel } from '../../src/files/model-file.js';

/** Layers a, b and c of one weight each in a model, b alone of them trained. */
function nested() {
  const dense = (name: string, trainable: boolean) =>
    tfl.layers.dense({ units: 1, useBias: false, name, trainable, inputShape: [1] });
  const inner = tfl.sequential({ name: 'inner', layers: [dense('a', false), dense('b', true), dense('c', false)] });
  const model = tfl.sequential({ layers: [inner] });
  const given = (weights: readonly KerasWeight[]) => {
    giveWeights(model, new Map([['inner', weights]]));
    return inner.layers.map((layer) => layer.weights[0]!.read().dataSync()[0]);
  };
  return { model, given };
}
const weight = (value: number, name?: string): KerasWeight => ({
  shape: [1, 1],
  values: Float32Array.of(value),
  ...(name !== undefined && { name }),
});

test('weights of a model in one list: by their names, else those that are trained first', () => {
  const { model, given } = nested();
  const before = tf.memory().numTensors;
  expect(given([weight(1, 'inner/a/kernel'), weight(2, 'inner/b/kernel'), weight(3, 'inner/c/kernel')])).toEqual([
    1, 2, 3,
  ]);
  expect(given([weight(3, 'c/kernel:0'), weight(2, 'b/kernel:0'), weight(1, 'a/kernel:0')])).toEqual([1, 2, 3]);
  // Without names, or with those that say nothing, of a layer that has another name by now: Keras 2 has written b, a, c, Keras 3 a, b, c.
  const unclear = /^the weights of 'inner' may lie in several orders, .*: save the model as \.keras, or with all/;
  expect(() => given([weight(4), weight(5), weight(6)])).toThrow(unclear);
  expect(() => given([weight(7, 'b/kernel'), weight(8, 'old/kernel'), weight(9, 'c/kernel')])).toThrow(unclear);
  expect(tf.memory().numTensors).toBe(before);
  disposeModel(model);
});

test('shapes tell where one order alone fits, and nothing is unclear where all is trained', () => {
  const inner = tfl.sequential({
    name: 'inner',
    layers: [
      tfl.layers.dense({ units: 1, useBias: false, inputShape: [1], trainable: false }),
      tfl.layers.dense({ units: 2, useBias: false }),
    ],
  });
  const normal = tfl.sequential({
    name: 'normal',
    layers: [
      tfl.layers.batchNormalization({ inputShape: [2], center: false }),
      tfl.layers.batchNormalization({ center: false }),
    ],
  });
  const model = tfl.sequential({ layers: [inner, normal] });
  const wide: KerasWeight = { shape: [1, 2], values: Float32Array.of(2, 3) };
  const pair = (value: number): KerasWeight => ({ shape: [2], values: Float32Array.of(value, value) });
  for (const list of [
    [weight(1), wide],
    [wide, weight(1)],
  ]) {
    const six = [1, 2, 3, 4, 5, 6].map(pair);
    giveWeights(
      model,
      new Map([
        ['inner', list],
        ['normal', six],
      ]),
    );
    expect(inner.layers.map(({ weights }) => [...weights[0]!.read().dataSync()])).toEqual([[1], [2, 3]]);
    // gamma of both, then mean and variance of each.
    const first = (layer: tfl.layers.Layer) => layer.weights.map((each) => each.read().dataSync()[0]);
    expect(normal.layers.map(first)).toEqual([
      [1, 3, 4],
      [2, 5, 6],
    ]);
  }
  disposeModel(model);
});

test('layers of one name in several models are told by the names of these, and not by a layer around another', () => {
  const dense = (trainable: boolean) =>
    tfl.layers.dense({ units: 1, useBias: false, name: 'dense', trainable, inputShape: [1] });
  const [a, b] = [true, false].map((isA) => tfl.sequential({ name: isA ? 'a' : 'b', layers: [dense(!isA)] })) as [
    tfl.Sequential,
    tfl.Sequential,
  ];
  const inner = tfl.sequential({ name: 'm', layers: [a, b] });
  const model = tfl.sequential({ name: 'outer', layers: [inner] });
  const read = () => [a, b].map(({ layers }) => layers[0]!.weights[0]!.read().dataSync()[0]);
  for (const names of [
    ['m/a', 'm/b'],
    ['a', 'b'],
    ['outer/m/a', 'b'],
  ]) {
    giveWeights(model, new Map([['m', names.map((name, i) => weight(i + 1, `${name}/dense/kernel`))]]));
    expect(read()).toEqual([1, 2]);
    giveWeights(model, new Map([['m', names.map((name, i) => weight(i + 3, `${name}/dense/kernel`)).reverse()]]));
    expect(read()).toEqual([3, 4]);
  }
  disposeModel(model);

  const each = tfl.layers.timeDistributed({ name: 'each', layer: dense(true), inputShape: [2, 1] } as never);
  const last = tfl.layers.dense({ units: 1, useBias: false, name: 'dense' });
  const wrapped = tfl.sequential({ layers: [tfl.sequential({ name: 'w', layers: [each, last] })] });
  giveWeights(wrapped, new Map([['w', [weight(1, 'w/dense/kernel'), weight(2, 'w/each/dense/kernel')]]]));
  expect([each, last].map(({ weights }) => weights[0]!.read().dataSync()[0])).toEqual([2, 1]);
  disposeModel(wrapped);
});

test('what does not fit is told', () => {
  const { model, given } = nested();
  expect(() => given([weight(1, 'a/kernel'), weight(2, 'b/kernel')])).toThrow(
    "layer 'inner' has weights of shapes [1,1], [1,1], [1,1] in tf.js, but [1,1], [1,1] in the file.",
  );
  expect(() => given([weight(1, 'a/x'), weight(2, 'a/y'), weight(3, 'b/kernel'), weight(4, 'c/kernel')])).toThrow(
    /in the file/,
  );
  disposeModel(model);
});

test('a kernel of as many groups as channels has the numbers of a depthwise one', () => {
  const model = tfl.sequential({
    layers: [
      tfl.layers.depthwiseConv2d({
        name: 'd',
        kernelSize: [1, 2],
        depthMultiplier: 2,
        useBias: false,
        inputShape: [1, 2, 3],
      }),
    ],
  });
  const values = Float32Array.from({ length: 12 }, (_, i) => i);
  const give = (shape: number[]) => giveWeights(model, new Map([['d', [{ shape, values }]]]));
  give([1, 2, 1, 6]);
  const kernel = model.layers[0]!.weights[0]!.read();
  expect(kernel.shape).toEqual([1, 2, 3, 2]);
  expect([...kernel.dataSync()]).toEqual([...values]);
  expect(() => give([1, 2, 6, 1])).toThrow(
    "layer 'd' has weights of shapes [1,2,3,2] in tf.js, but [1,2,6,1] in the file.",
  );
  disposeModel(model);
});
