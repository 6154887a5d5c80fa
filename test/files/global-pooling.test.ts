import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, expect, test } from 'vitest';
import { registerBuiltInLayers } from '../../src/files/built-in-layers.js';
import { keepingAxes, poolingLayers } from '../../src/files/global-pooling.js';
import { expectSameReadings } from './same-readings.js';

beforeAll(registerBuiltInLayers);

function layerOf(className: string, config: object = {}): tfl.layers.Layer {
  const [Class, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
  return fromConfig(Class, { name: className, ...config } as tf.serialization.ConfigDict) as tfl.layers.Layer;
}

const reshape = (targetShape: number[]) => tfl.layers.reshape({ targetShape });
const kept1d = (kind: string) => layerOf(keepingAxes(`Global${kind}Pooling1D`), { keepdims: true });
const kept2d = (kind: string, dataFormat?: string) =>
  layerOf(keepingAxes(`Global${kind}Pooling2D`), { keepdims: true, dataFormat });
const volume = (kind: string, keepdims: boolean) => layerOf(`Global${kind}Pooling3D`, { keepdims });

/** The layers, and what computes the same by layers of tf.js, between a convolution that gives 4 x 4 pixels of 3 channels and a dense layer. */
const cases: Readonly<
  Record<string, (kind: 'Average' | 'Max') => { ours: tfl.layers.Layer[]; same: tfl.layers.Layer[] }>
> = {
  steps: (kind) => ({
    ours: [reshape([16, 3]), kept1d(kind)],
    same: [reshape([16, 3]), layerOf(`Global${kind}Pooling1D`), reshape([1, 3])],
  }),
  images: (kind) => ({
    ours: [kept2d(kind)],
    same: [layerOf(`Global${kind}Pooling2D`), reshape([1, 1, 3])],
  }),
  'images, channels first': (kind) => ({
    ours: [tfl.layers.permute({ dims: [3, 1, 2] }), kept2d(kind, 'channelsFirst')],
    same: [
      tfl.layers.permute({ dims: [3, 1, 2] }),
      layerOf(`Global${kind}Pooling2D`, { dataFormat: 'channelsFirst' }),
      reshape([3, 1, 1]),
    ],
  }),
  'images at every time step': (kind) => ({
    ours: [reshape([2, 2, 4, 3]), tfl.layers.timeDistributed({ layer: kept2d(kind) })],
    same: [
      reshape([2, 2, 4, 3]),
      tfl.layers.timeDistributed({ layer: layerOf(`Global${kind}Pooling2D`) }),
      reshape([2, 1, 1, 3]),
    ],
  }),
  volumes: (kind) => ({
    ours: [reshape([2, 2, 4, 3]), volume(kind, false)],
    same: [layerOf(`Global${kind}Pooling2D`)],
  }),
  'volumes that keep their axes': (kind) => ({
    ours: [reshape([2, 2, 4, 3]), volume(kind, true)],
    same: [layerOf(`Global${kind}Pooling2D`), reshape([1, 1, 1, 3])],
  }),
};

const network = (middle: tfl.layers.Layer[]) => {
  const last = middle.at(-1)!;
  const model = tfl.sequential({
    layers: [
      tfl.layers.conv2d({
        filters: 3,
        kernelSize: 2,
        activation: 'relu',
        kernelInitializer: tfl.initializers.glorotNormal({ seed: 1 }),
        inputShape: [5, 5, 2],
      }),
      ...middle,
    ],
  });
  model.add(
    tfl.layers.dense({ units: 3, activation: 'relu', kernelInitializer: tfl.initializers.glorotNormal({ seed: 2 }) }),
  );
  if ((last.outputShape as number[]).length > 2) {
    model.add(tfl.layers.flatten());
  }
  model.add(
    tfl.layers.dense({
      units: 2,
      activation: 'softmax',
      kernelInitializer: tfl.initializers.glorotNormal({ seed: 3 }),
    }),
  );
  return model;
};

test.each(Object.keys(cases).flatMap((name) => (['Average', 'Max'] as const).map((kind) => [kind, name] as const)))(
  '%s pooling of %s is measured as that of tf.js and a Reshape',
  async (kind, name) => {
    const { ours, same } = cases[name]!(kind);
    const [model, reference] = [network(ours), network(same)];
    expect(model.outputs[0]!.shape).toEqual(reference.outputs[0]!.shape);
    const x = tf.randomNormal([5, 5, 5, 2], 0, 1, 'float32', 4);
    tf.tidy(() => {
      const [a, b] = [model, reference].map((each) => (each.predict(x) as tf.Tensor).dataSync());
      a!.forEach((value, i) => void expect(value).toBeCloseTo(b![i]!, 6));
    });
    await expectSameReadings(model, reference, x, 4);
    x.dispose();
    model.dispose();
    reference.dispose();
  },
);

test('shapes, of open lengths too, and what is saved', () => {
  const shapes = poolingLayers.map(([name]) => {
    const rank = Number(/(\d)D/.exec(name)![1]) + 2;
    const of = (config: object) => layerOf(name, config).computeOutputShape([null, 7, null, 5, 3].slice(5 - rank));
    return [name, of({}), of({ keepdims: true })];
  });
  const expected = (name: string, rank: number, shape: unknown[]) => [
    name,
    [shape[0], 3],
    [shape[0], ...Array(rank - 2).fill(1), 3],
  ];
  expect(shapes).toEqual(
    ['Average', 'Max'].flatMap((kind) => [
      expected(keepingAxes(`Global${kind}Pooling1D`), 3, [null]),
      expected(keepingAxes(`Global${kind}Pooling2D`), 4, [7]),
      expected(`Global${kind}Pooling3D`, 5, [null]),
    ]),
  );
  expect(
    layerOf(keepingAxes('GlobalMaxPooling2D'), { keepdims: true, dataFormat: 'channelsFirst' }).getConfig(),
  ).toMatchObject({
    keepdims: true,
    dataFormat: 'channelsFirst',
  });
});
