import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, expect, test } from 'vitest';
import { registerBuiltInLayers } from '../../src/files/built-in-layers.js';
import { stepLayers } from '../../src/files/step-layers.js';
import { measureSharpness } from '../../src/index.js';

beforeAll(registerBuiltInLayers);

function layerOf(className: string, config: object = {}): tfl.layers.Layer {
  const [Class, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
  return fromConfig(Class, { name: className, ...config } as tf.serialization.ConfigDict) as tfl.layers.Layer;
}

const conv = (seed: number, padding: 'valid' | 'same' = 'valid', inputShape?: number[]) =>
  tfl.layers.conv1d({
    filters: 2,
    kernelSize: 3,
    padding,
    activation: 'relu',
    kernelInitializer: tfl.initializers.glorotNormal({ seed }),
    ...(inputShape && { inputShape }),
  });
const image = (height: number, layer: tfl.layers.Layer) => [
  tfl.layers.reshape({ targetShape: [height, 1, 2] }),
  layer,
  tfl.layers.reshape({ targetShape: [-1, 2] }),
];
const padding = (ends: [number, number]) =>
  tfl.layers.zeroPadding2d({ padding: [ends, [0, 0]] as unknown as [[number, number], [number, number]] });

/** The layer, and what computes the same by a layer for images. */
const cases: [name: string, config: object, same: () => tfl.layers.Layer[]][] = [
  ['ZeroPadding1D', { padding: [2, 1] }, () => image(4, padding([2, 1]))],
  ['ZeroPadding1D', { padding: 2 }, () => image(4, padding([2, 2]))],
  [
    'Cropping1D',
    { cropping: [1, 0] },
    () =>
      image(
        4,
        tfl.layers.cropping2D({
          cropping: [
            [1, 0],
            [0, 0],
          ],
          dataFormat: 'channelsLast',
        }),
      ),
  ],
  ['UpSampling1D', { size: 3 }, () => image(4, tfl.layers.upSampling2d({ size: [3, 1] }))],
];

test.each(cases)('%s of %j is measured as the layer for images is', async (name, config, same) => {
  const network = (middle: tfl.layers.Layer[]) =>
    tfl.sequential({
      layers: [
        conv(1, 'valid', [6, 2]),
        ...middle,
        conv(2),
        tfl.layers.globalAveragePooling1d({}),
        tfl.layers.dense({
          units: 2,
          activation: 'softmax',
          kernelInitializer: tfl.initializers.glorotNormal({ seed: 3 }),
        }),
      ],
    });
  const [model, reference] = [network([layerOf(name, config)]), network(same())];
  const x = tf.randomNormal([5, 6, 2], 0, 1, 'float32', 4);
  for (const method of ['exact', { pairs: 4 }] as const) {
    const options = { loss: 'categoricalCrossentropy', method, seed: 1 } as const;
    const [a, b] = [await measureSharpness(model, x, options), await measureSharpness(reference, x, options)];
    expect(a.minimumSharpness / b.minimumSharpness).toBeCloseTo(1, 4);
    expect(a.trace / b.trace).toBeCloseTo(1, 4);
    expect(a.exact).toBe(b.exact);
  }
  x.dispose();
  model.dispose();
  reference.dispose();
});

test('they are saved as they were, and have the defaults of Keras', () => {
  expect(stepLayers.map(([name]) => name)).toEqual(['ZeroPadding1D', 'Cropping1D', 'UpSampling1D']);
  expect(layerOf('Cropping1D', { cropping: [1, 2] }).getConfig()).toMatchObject({ cropping: [1, 2] });
  const shapeOf = (name: string) => layerOf(name).computeOutputShape([null, 5, 3]);
  expect(['ZeroPadding1D', 'Cropping1D', 'UpSampling1D'].map(shapeOf)).toEqual([
    [null, 7, 3],
    [null, 3, 3],
    [null, 10, 3],
  ]);
  expect(layerOf('ZeroPadding1D').computeOutputShape([null, null, 3])).toEqual([null, null, 3]);
});

test('more than there is cannot be cropped', () => {
  tf.tidy(() => {
    expect(() => layerOf('Cropping1D', { cropping: 3 }).apply(tf.zeros([1, 5, 1]))).toThrow(
      'there is nothing left of 5 steps once 3 and 3 are cropped: give longer samples.',
    );
  });
});
