import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, expect, test } from 'vitest';
import { registerBuiltInLayers } from '../../src/files/built-in-layers.js';
import { CustomScaleLayer, LayerScale } from '../../src/files/residual-scale.js';
import { expectSameReadings } from './same-readings.js';

beforeAll(registerBuiltInLayers);

const conv = (seed: number) =>
  tfl.layers.conv2d({
    filters: 3,
    kernelSize: 2,
    padding: 'same',
    activation: 'relu',
    kernelInitializer: tfl.initializers.glorotNormal({ seed }),
  });
const head = () =>
  tfl.layers.dense({ units: 3, activation: 'softmax', kernelInitializer: tfl.initializers.glorotNormal({ seed: 9 }) });

type Block = (x: tfl.SymbolicTensor) => tfl.SymbolicTensor;
const after =
  (layer: tfl.layers.Layer): Block =>
  (x) =>
    layer.apply(x) as tfl.SymbolicTensor;

/** conv, block, conv, head. */
function network(block: Block): tfl.LayersModel {
  const input = tfl.input({ shape: [3, 3, 2] });
  const x = conv(2).apply(block(conv(1).apply(input) as tfl.SymbolicTensor));
  const pooled = tfl.layers.globalAveragePooling2d({}).apply(x);
  return tfl.model({ inputs: input, outputs: head().apply(pooled) as tfl.SymbolicTensor });
}

const factors = [0.5, -2, 1.5];

/** x by these factors, as a batch normalization multiplies. */
const times =
  (gamma: readonly number[], trainable: boolean): Block =>
  (x) => {
    const layer = tfl.layers.batchNormalization({ center: false, epsilon: 1e-3, trainable });
    const y = after(layer)(x);
    layer.setWeights([tf.tensor1d([...gamma]), tf.zeros([3]), tf.fill([3], 1 - 1e-3)]);
    return y;
  };
const quarter = times([0.25, 0.25, 0.25], false);

/** The layer, and layers of tf.js that compute the same. */
const cases: Readonly<Record<string, { ours: () => Block; same: () => Block }>> = {
  LayerScale: {
    ours: () => {
      const layer = new LayerScale({ name: 'scale', projectionDim: 3 });
      return (x) => {
        const y = after(layer)(x);
        layer.setWeights([tf.tensor1d(factors)]);
        return y;
      };
    },
    same: () => times(factors, true),
  },
  'LayerScale that is frozen': {
    ours: () => after(new LayerScale({ trainable: false, initValues: 0.25, projectionDim: 3 })),
    same: () => quarter,
  },
  CustomScaleLayer: {
    ours: () => (x) => new CustomScaleLayer({ scale: 0.25 }).apply([x, after(conv(5))(x)]) as tfl.SymbolicTensor,
    same: () => (x) => tfl.layers.add().apply([x, quarter(after(conv(5))(x))]) as tfl.SymbolicTensor,
  },
};

test.each(Object.keys(cases))('%s is measured as layers of tf.js that compute the same', async (name) => {
  const { ours, same } = cases[name]!;
  const [model, reference] = [network(ours()), network(same())];
  const x = tf.randomNormal([5, 3, 3, 2], 0, 1, 'float32', 4);
  await expectSameReadings(model, reference, x, 8);
  x.dispose();
  model.dispose();
  reference.dispose();
});

test('they are saved as they were', () => {
  expect(new LayerScale({ initValues: 0.1, projectionDim: 4 }).getConfig()).toMatchObject({
    initValues: 0.1,
    projectionDim: 4,
  });
  expect(new CustomScaleLayer({ scale: 0.17 }).getConfig()).toMatchObject({ scale: 0.17 });
});

test('a class of the same name with other settings is not taken for it', () => {
  expect(() => new LayerScale({ name: 'l', initValues: 0.1 } as never)).toThrow(
    "layer 'l' is of a class LayerScale that is not that of keras.applications: --require a module that registers it.",
  );
  expect(() => new CustomScaleLayer({ name: 'l', factor: 1 } as never)).toThrow(
    "layer 'l' is of a class CustomScaleLayer that",
  );
});
