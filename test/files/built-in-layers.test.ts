import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, expect, test } from 'vitest';
import { registerBuiltInLayers } from '../../src/files/built-in-layers.js';
import { measureSharpness } from '../../src/index.js';

beforeAll(() => {
  registerBuiltInLayers();
  registerBuiltInLayers();
});

function layerOf(className: string, config: object): tfl.layers.Layer {
  const [Class, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
  return fromConfig(Class, {
    name: className.toLowerCase(),
    ...config,
  } as tf.serialization.ConfigDict) as tfl.layers.Layer;
}

const outputOf = (layer: tfl.layers.Layer, x: tf.Tensor) =>
  tf.tidy(() => [...(layer.apply(x) as tf.Tensor).dataSync()]);

test('Normalization by numbers of its configuration, along any axes, and backwards', () => {
  tf.tidy(() => {
    const x = tf.tensor2d([
      [1, 10],
      [3, 20],
    ]);
    const given = { axis: [-1], mean: [[1, 10]], variance: [[4, 0]] };
    // The deviation is at least 1e-7, as in Keras.
    expect(outputOf(layerOf('Normalization', given), x)).toEqual([0, 0, 1, Math.fround(10 / Math.fround(1e-7))]);
    expect(outputOf(layerOf('Normalization', { ...given, variance: [[4, 9]], invert: true }), x)).toEqual([
      3, 40, 7, 70,
    ]);
    expect(outputOf(layerOf('Normalization', { axis: null, mean: 1, variance: 4 }), x)).toEqual([0, 4.5, 1, 9.5]);
    const rows = layerOf('Normalization', { axis: 1, mean: [1, 3], variance: [1, 1] });
    expect(outputOf(rows, tf.reshape(x, [1, 2, 2]))).toEqual([0, 9, 0, 17]);
    expect(rows.getConfig()).toMatchObject({ axis: 1, mean: [1, 3], variance: [1, 1] });
  });
});

test('Normalization by weights of the file', () => {
  tf.tidy(() => {
    const layer = layerOf('Normalization', { axis: [-1], mean: null, variance: null });
    layer.build([null, 2]);
    layer.setWeights([tf.tensor1d([1, 2]), tf.tensor1d([1, 4]), tf.scalar(9, 'int32')]);
    expect(outputOf(layer, tf.tensor2d([[2, 4]]))).toEqual([1, 1]);
    expect(layer.trainableWeights).toEqual([]);
  });
});

test('a network behind Normalization is that of normalized data, also where the layer stands in the middle', async () => {
  const dense = (units: number, seed: number, activation: 'relu' | 'softmax', inputShape?: number[]) =>
    tfl.layers.dense({
      units,
      activation,
      ...(inputShape && { inputShape }),
      kernelInitializer: tfl.initializers.glorotNormal({ seed }),
    });
  const front = layerOf('Normalization', { axis: -1, mean: [1, 2], variance: [4, 4], batchInputShape: [null, 2] });
  const behind = tfl.sequential({ layers: [front, dense(3, 1, 'relu'), dense(2, 2, 'softmax')] });
  const alone = tfl.sequential({ layers: [dense(3, 1, 'relu', [2]), dense(2, 2, 'softmax')] });
  const loss = 'categoricalCrossentropy';
  const x = tf.tensor2d([
    [1, 4],
    [5, 2],
    [-2, 1],
  ]);
  const normalized = tf.tidy(() => tf.div(tf.sub(x, [1, 2]), 2));
  const [a, b] = [await measureSharpness(behind, x, { loss }), await measureSharpness(alone, normalized, { loss })];
  expect(a.minimumSharpness).toBeCloseTo(b.minimumSharpness, 5);
  expect(a.exact).toBe(true);
  // In the middle a slope goes through it: half of it.
  const middle = layerOf('Normalization', { axis: -1, mean: [0, 0, 0], variance: [4, 4, 4] });
  const through = tfl.sequential({ layers: [dense(3, 1, 'relu', [2]), middle, dense(2, 2, 'softmax')] });
  const halved = tfl.sequential({ layers: [dense(3, 1, 'relu', [2]), dense(2, 2, 'softmax')] });
  const [kernel, bias] = halved.layers[1]!.getWeights();
  const half = tf.tidy(() => tf.div(kernel!, 2));
  halved.layers[1]!.setWeights([half, bias!]);
  const [c, d] = [await measureSharpness(through, x, { loss }), await measureSharpness(halved, x, { loss })];
  expect(c.parameters[0]!.trace).toBeCloseTo(d.parameters[0]!.trace, 5);
  tf.dispose([x, normalized, half]);
  for (const model of [behind, alone, through, halved]) {
    model.dispose();
  }
});

test('layers that draw in training only leave their input as it is', () => {
  tf.tidy(() => {
    const x = tf.tensor2d([[1, 2]]);
    for (const name of ['RandomFlip', 'RandomZoom', 'SpatialDropout2D', 'ActivityRegularization']) {
      expect(outputOf(layerOf(name, {}), x)).toEqual([1, 2]);
    }
  });
});
