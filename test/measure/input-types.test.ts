import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';
import type { SharpnessReading } from '../../src/measure/reading.js';
import { minimumSharpnessGradients } from '../../src/measure/sharpness-gradients.js';
import { mergeSharpnessSamples, sampleSharpness } from '../../src/measure/sharpness-sample.js';
import { minimumSharpness } from '../../src/training/minimum-sharpness.js';

const { layers } = tfl;
const loss = 'categoricalCrossentropy';
const samples = 40;

/** As decoded from a file: whole numbers from 0 to 255. */
const pixels = () =>
  tf.tidy(() => tf.cast(tf.floor(tf.randomUniform([samples, 6, 6, 3], 0, 256, 'float32', 3)), 'int32'));

const classes = () =>
  tf.tensor2d(Array.from({ length: samples }, (_, n) => [0, 1, 2].map((k) => (n % 3 === k ? 1 : 0))));

/** Convolutions take floats only; tf.js' feed turns whole numbers into the type of the model's input. */
function classifier(): tfl.Sequential {
  const initializer = (seed: number) => tfl.initializers.glorotNormal({ seed });
  const model = tfl.sequential({
    layers: [
      layers.rescaling({ scale: 1 / 255, inputShape: [6, 6, 3] } as Parameters<typeof layers.rescaling>[0]),
      layers.conv2d({ filters: 4, kernelSize: 3, activation: 'relu', kernelInitializer: initializer(1) }),
      layers.batchNormalization({ axis: [3] as unknown as number }),
      layers.flatten(),
      layers.dense({ units: 3, activation: 'softmax', kernelInitializer: initializer(2) }),
    ],
  });
  model.compile({ optimizer: 'sgd', loss });
  return model;
}

const valuesOf = ({ minimumSharpness: value, standardError, trace, parameters }: SharpnessReading) => ({
  value,
  standardError,
  trace,
  traces: parameters.map((each) => each.trace),
});

/** Convolutions come first, so that the model's first layer does not turn the pixels into floats. */
function convolutional(): tfl.Sequential {
  const model = tfl.sequential({
    layers: [
      layers.conv2d({
        filters: 2,
        kernelSize: 3,
        activation: 'relu',
        inputShape: [6, 6, 3],
        kernelInitializer: tfl.initializers.randomNormal({ stddev: 0.005, seed: 4 }),
      }),
      layers.globalAveragePooling2d({}),
      layers.dense({ units: 3, activation: 'softmax', kernelInitializer: tfl.initializers.glorotNormal({ seed: 5 }) }),
    ],
  });
  model.compile({ optimizer: 'sgd', loss });
  return model;
}

describe('images of whole numbers are measured as predict and fit take them', () => {
  const methods: MeasureOptions[] = [
    {},
    { method: { pairs: 40 } },
    { method: { tolerance: 0.1 } },
    { part: 0.5 },
    { memoryMB: 0.25 },
    { method: { hutchinson: 2 }, labels: classes() },
  ];
  it.each(methods)('with %o', async (options) => {
    const x = pixels();
    const floats = tf.cast(x, 'float32');
    for (const model of [classifier(), convolutional()]) {
      const before = tf.memory().numTensors;
      const found = await measureSharpness(model, x, options);
      expect(tf.memory().numTensors).toBe(before);
      expect(valuesOf(found)).toEqual(valuesOf(await measureSharpness(model, floats, options)));
      model.dispose();
    }
    tf.dispose([x, floats]);
  });

  it.each<MeasureOptions>([{}, { method: { pairs: 40 } }])('from a dataset, with %o', async (options) => {
    const x = pixels();
    const floats = tf.cast(x, 'float32');
    const model = convolutional();
    const batches = (rows: tf.Tensor) =>
      tfd.generator(function* () {
        for (let begin = 0; begin < samples; begin += 10) {
          yield tf.slice(rows, begin, 10) as tf.TensorContainer;
        }
      });
    const before = tf.memory().numTensors;
    const found = await measureSharpness(model, batches(x), options);
    expect(tf.memory().numTensors).toBe(before);
    expect(valuesOf(found)).toEqual(valuesOf(await measureSharpness(model, batches(floats), options)));
    tf.dispose([x, floats]);
    model.dispose();
  });

  it('in shares that are merged', async () => {
    const x = pixels();
    const floats = tf.cast(x, 'float32');
    const model = convolutional();
    const share = await sampleSharpness(model, x, { seed: 1 });
    const [one, two] = [
      await sampleSharpness(model, floats, { seed: 1 }),
      await sampleSharpness(model, floats, { seed: 2 }),
    ];
    expect(valuesOf(mergeSharpnessSamples(model, [share, two])).value).toBe(
      valuesOf(mergeSharpnessSamples(model, [one, two])).value,
    );
    tf.dispose([x, floats]);
    model.dispose();
  });

  // wasm cannot train a convolution.
  it.skipIf(tf.getBackend() === 'wasm')('in gradients', () => {
    const x = pixels();
    const floats = tf.cast(x, 'float32');
    const model = convolutional();
    const [found, expected] = [x, floats].map((rows) => minimumSharpnessGradients(model, rows));
    expect(found!.minimumSharpness).toBe(expected!.minimumSharpness);
    tf.dispose([...found!.parameters, ...expected!.parameters].map(({ gradient }) => gradient));
    tf.dispose([x, floats]);
    model.dispose();
  });

  it.skipIf(tf.getBackend() === 'wasm')('while they are trained on', async () => {
    const x = pixels();
    const y = classes();
    for (const data of [undefined, x]) {
      const model = convolutional();
      const sharpness = minimumSharpness({ data });
      const { history } = await model.fit(x, y, { epochs: 1, verbose: 0, callbacks: [sharpness] });
      expect(history.minimumSharpness).toEqual([expect.any(Number)]);
      expect(history.minimumSharpness![0]).toBeGreaterThan(0);
      sharpness.dispose();
      model.dispose();
    }
    tf.dispose([x, y]);
  });
});

it.skipIf(tf.getBackend() !== 'tensorflow')('images as tf.node.decodePng gives them', async () => {
  const { node } = await import('@tensorflow/tfjs-node');
  const whole = pixels();
  const decoded: tf.Tensor[] = [];
  for (const image of tf.unstack(whole)) {
    decoded.push(node.decodePng(await node.encodePng(image as tf.Tensor3D)));
    image.dispose();
  }
  const x = tf.stack(decoded);
  expect(x.dtype).toBe('int32');
  const model = convolutional();
  expect(valuesOf(await measureSharpness(model, x))).toEqual(valuesOf(await measureSharpness(model, whole)));
  tf.dispose([decoded, x, whole]);
  model.dispose();
});

it('truth values count as 0 and 1', async () => {
  const model = tfl.sequential({ layers: [layers.dense({ units: 2, activation: 'softmax', inputShape: [4] })] });
  const x = tf.tensor2d([1, 0, 1, 1, 0, 0, 1, 0], [2, 4], 'bool');
  const floats = tf.cast(x, 'float32');
  expect(valuesOf(await measureSharpness(model, x, { loss }))).toEqual(
    valuesOf(await measureSharpness(model, floats, { loss })),
  );
  tf.dispose([x, floats]);
  model.dispose();
});

it('tokens stay whole numbers, whatever type they come in, also through models inside', async () => {
  const embed = () => layers.embedding({ inputDim: 9, outputDim: 3, inputLength: 5, maskZero: true });
  const head = () => [
    layers.gru({ units: 3, recurrentInitializer: 'glorotUniform' }),
    layers.dense({ units: 2, activation: 'softmax' }),
  ];
  const inner = tfl.sequential({ layers: [embed(), ...head()] });
  const wrapped = (dtype: 'int32' | 'float32') => {
    const input = tfl.input({ shape: [5], dtype });
    return tfl.model({ inputs: input, outputs: inner.apply(input) as tfl.SymbolicTensor });
  };
  const tokens = tf.tensor2d([1, 3, 8, 0, 0, 2, 2, 7, 1, 0, 4, 5, 6, 8, 1], [3, 5], 'int32');
  const floats = tf.cast(tokens, 'float32');
  const readings = [];
  for (const model of [inner, wrapped('int32'), wrapped('float32')]) {
    for (const x of [tokens, floats]) {
      for (const method of ['exact', { pairs: 6 }] as const) {
        readings.push((await measureSharpness(model, x, { loss, method, seed: 1 })).trace);
      }
    }
  }
  for (const [i, trace] of readings.entries()) {
    expect(trace / readings[i % 2]!).toBeCloseTo(1, 5);
  }
  tf.dispose([tokens, floats]);
});

it('a model inside turns what goes in into the type of its own input', async () => {
  const inner = tfl.sequential({ layers: [layers.conv2d({ filters: 2, kernelSize: 2, inputShape: [3, 3, 1] })] });
  const input = tfl.input({ shape: [3, 3, 1], dtype: 'int32' });
  const features = layers.flatten().apply(inner.apply(input)) as tfl.SymbolicTensor;
  const outputs = layers.dense({ units: 2, activation: 'softmax' }).apply(features) as tfl.SymbolicTensor;
  const model = tfl.model({ inputs: input, outputs });
  const x = tf.randomUniform([4, 3, 3, 1], -3, 4, 'float32', 6);
  const whole = tf.cast(x, 'int32');
  const predicted = tf.tidy(() => [x, whole].map((rows) => (model.predict(rows) as tf.Tensor).arraySync()));
  expect(predicted[0]).toEqual(predicted[1]);
  expect(valuesOf(await measureSharpness(model, x, { loss }))).toEqual(
    valuesOf(await measureSharpness(model, whole, { loss })),
  );
  tf.dispose([x, whole]);
});

it.each([
  ['float32', 'int32'],
  ['int32', 'float32'],
] as const)('a chain at every time step is given %s and turns it into %s', async (outer, inner) => {
  const seeded = (seed: number) => tfl.initializers.glorotUniform({ seed });
  const make = (type: tf.DataType, within: tf.DataType) => {
    const chain = tfl.sequential({
      layers: [
        layers.inputLayer({ inputShape: [3], dtype: within }),
        layers.dense({ units: 2, kernelInitializer: seeded(1) }),
      ],
    });
    return tfl.sequential({
      layers: [
        layers.inputLayer({ inputShape: [4, 3], dtype: type }),
        layers.timeDistributed({ layer: chain as unknown as tfl.layers.Layer }),
        layers.flatten(),
        layers.dense({ units: 2, activation: 'softmax', kernelInitializer: seeded(2) }),
      ],
    });
  };
  const [model, floats] = [make(outer, inner), make('float32', 'float32')];
  const x = tf.randomUniform([5, 4, 3], -3, 4, 'float32', 6);
  const whole = tf.tidy(() => tf.cast(tf.cast(x, 'int32'), 'float32'));
  const predicted = tf.tidy(() => [model.predict(x), floats.predict(whole)].map((y) => (y as tf.Tensor).arraySync()));
  expect(predicted[0]).toEqual(predicted[1]);
  const [found, right] = [await measureSharpness(model, x, { loss }), await measureSharpness(floats, whole, { loss })];
  found.parameters.forEach(({ trace }, b) => {
    expect(trace / right.parameters[b]!.trace).toBeCloseTo(1, 5);
  });
  tf.dispose([x, whole]);
});

it('a model that was built for a number of samples takes any, as predict and fit do', async () => {
  const model = tfl.sequential({
    layers: [layers.dense({ units: 2, activation: 'softmax', batchInputShape: [10, 3] })],
  });
  const x = tf.randomNormal([25, 3], 0, 1, 'float32', 8);
  expect((await measureSharpness(model, x, { loss })).samples).toBe(25);
  x.dispose();
});
