import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DatasetInputs } from '../../src/measure/inputs.js';
import { measureFunctionSharpness } from '../../src/measure/measure-function.js';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureMethod, MeasureOptions } from '../../src/measure/options.js';
import type { SharpnessReading } from '../../src/measure/reading.js';
import { mergeSharpnessSamples, sampleSharpness } from '../../src/measure/sharpness-sample.js';

const { layers } = tfl;
const W1 = [[0.5, -0.3], [0.2, 0.8]]; // biome-ignore format: one line a tensor
const W2 = [[0.7, -0.5, 0.1], [-0.4, 0.6, 0.3]]; // biome-ignore format: one line a tensor
const XS = [[1, 2], [0.5, -1], [3, 1], [-1, 1], [2, 2], [1, 0.5]]; // biome-ignore format: one line a tensor
/** Rows of zeros as padding. */
const PADDED = [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]]; // biome-ignore format: one line a tensor
const MULTI_HOT = [[1, 0, 1], [0, 0, 1], [1, 1, 1], [0.5, 0.5, 0], [0, 0, 0], [0, 2, 0]]; // biome-ignore format: one line a tensor

/** Two inputs, two hidden units, three classes. */
function network(activation: 'relu' | 'tanh' = 'relu', last: 'softmax' | 'linear' = 'softmax'): tfl.Sequential {
  const made = tfl.sequential({
    layers: [layers.dense({ units: 2, activation, inputShape: [2] }), layers.dense({ units: 3, activation: last })],
  });
  tf.tidy(() => {
    made.setWeights([tf.tensor2d(W1), tf.tensor1d([0.1, -0.2]), tf.tensor2d(W2), tf.tensor1d([0, 0.1, -0.1])]);
  });
  return made;
}

/** sum_n weights_n (diag p - p p^T) of row n at the last layer: what its bias has for a trace, N times. */
async function biasTrace(model: tfl.LayersModel, x: tf.Tensor, weights: readonly number[]): Promise<number> {
  const p = tf.tidy(() => (model.predict(x) as tf.Tensor).arraySync() as number[][]);
  const ofRow = p.map((row) => row.reduce((sum, each) => sum + each * (1 - each), 0));
  return ofRow.reduce((sum, trace, n) => sum + weights[n]! * trace, 0) / p.length;
}

const traces = ({ parameters }: SharpnessReading) => parameters.map(({ trace }) => trace);
const rowSentences = ({ assumptions }: SharpnessReading) =>
  assumptions.filter((each) => /^(Every row|Rows)/.test(each));

let x: tf.Tensor2D;
let model: tfl.Sequential;
let tensors: number;
beforeEach(() => {
  x = tf.tensor2d(XS);
  model = network();
  model.compile({ loss: 'categoricalCrossentropy', optimizer: 'sgd' });
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors);
  x.dispose();
  model.dispose();
});

/** A dataset of these, in batches of four. */
function dataset(parts: Readonly<Record<string, readonly unknown[]>>): DatasetInputs {
  const columns = Object.fromEntries(Object.entries(parts).map(([name, rows]) => [name, tfd.array(rows as never[])]));
  return tfd.zip(columns as never).batch(4) as never;
}

const methods: [string, MeasureMethod][] = [
  ['exact', 'exact'],
  ['{ pairs }', { pairs: 8 }],
  ['{ tolerance }', { tolerance: 0.01 }],
  ['{ hutchinson }', { hutchinson: 2 }],
];

describe('rows of labels count as many times as they add up to', () => {
  const drawn = (seed: number) => tfl.initializers.glorotUniform({ seed });

  const right = [0.43591, 0.13213, 0.33104, 0.32446];

  it.each(methods)('in every form that labels come in: %s', async (_, method) => {
    const ys = tf.tensor2d(PADDED);
    const readings = [
      await measureSharpness(model, x, { method, labels: ys }),
      await measureSharpness(model, { xs: x, ys }, { method }),
      await measureSharpness(model, dataset({ xs: XS, ys: PADDED }) as never, { method }),
    ];
    ys.dispose();
    for (const reading of readings) {
      expect(traces(reading).map((trace) => Number(trace.toFixed(5)))).toEqual(right);
      expect(reading.trace).toBeCloseTo(1.22354, 4);
      expect(rowSentences(reading)).toEqual([]);
    }
  });

  it('in the traces of the Hessian as well', async () => {
    const smooth = network('tanh');
    const ys = tf.tensor2d(PADDED);
    const options = { loss: 'categoricalCrossentropy', method: { hutchinson: 1000 } } as const;
    const reading = await measureSharpness(smooth, { xs: x, ys }, options);
    const error = Math.hypot(...reading.parameters.map(({ standardError }) => standardError));
    expect(Math.abs(reading.trace - 0.98856)).toBeLessThan(4 * error);
    expect(error).toBeLessThan(0.02);
    smooth.dispose();
    ys.dispose();
  });

  it('in both parts of these alike: halves of rows make halves of traces', async () => {
    const smooth = network('tanh');
    const [whole, half] = tf.tidy(() => {
      const rows = tf.cast(tf.oneHot(tf.tensor1d([0, 2, 1, 1, 0, 2], 'int32'), 3), 'float32');
      return [rows, tf.div(rows, 2)];
    }) as [tf.Tensor, tf.Tensor];
    const options = { loss: 'categoricalCrossentropy', method: { hutchinson: 5 } } as const;
    const [ofWhole, ofHalf] = [
      await measureSharpness(smooth, { xs: x, ys: whole }, options),
      await measureSharpness(smooth, { xs: x, ys: half }, options),
    ];
    expect((2 * ofHalf.trace) / ofWhole.trace).toBeCloseTo(1, 3);
    smooth.dispose();
    tf.dispose([whole, half]);
  });

  it('with several ones, halves and twos', async () => {
    const ys = tf.tensor2d(MULTI_HOT);
    const reading = await measureSharpness(model, { xs: x, ys });
    expect(traces(reading)[3]).toBeCloseTo(await biasTrace(model, x, [2, 1, 3, 1, 0, 2]), 6);
    ys.dispose();
  });

  it('with whole numbers and truth values', async () => {
    for (const dtype of ['int32', 'bool'] as const) {
      const ys = tf.tensor2d(PADDED, undefined, dtype);
      expect((await measureSharpness(model, { xs: x, ys })).trace).toBeCloseTo(1.22354, 4);
      ys.dispose();
    }
  });

  it('besides weights of samples and classes', async () => {
    const ys = tf.tensor2d(MULTI_HOT);
    const options = { sampleWeight: [1, 2, 3, 4, 5, 6], classWeight: { 0: 1, 1: 2, 2: 3 } };
    const reading = await measureSharpness(model, { xs: x, ys }, options);
    // Classes 0, 2, 0, 0, 0, 1.
    expect(traces(reading)[3]).toBeCloseTo(await biasTrace(model, x, [2 * 1, 2 * 3, 3 * 3, 4, 0, 6 * 2 * 2]), 5);
    ys.dispose();
  });

  it('of classes, those that there are', async () => {
    const options = { loss: 'sparseCategoricalCrossentropy' } as const;
    const ys = tf.tensor1d([0, 2, -1, 1, 3, -1]);
    const reading = await measureSharpness(model, { xs: x, ys }, options);
    expect(reading.trace).toBeCloseTo(1.22354, 4);
    ys.dispose();
    // Nobody doubts classes that are not at hand.
    expect(rowSentences(await measureSharpness(model, x, options))).toEqual([]);
  });

  it('and are taken to add up to 1, which is said, where they are not at hand', async () => {
    const said = [expect.stringMatching(/^Every row of targets of '.*' is taken to add up to 1, .* pass labels/)];
    const reading = await measureSharpness(model, x);
    expect(rowSentences(reading)).toEqual(said);
    const streamed = await measureSharpness(model, tfd.array(XS as never[]).batch(4) as never);
    expect(rowSentences(streamed)).toEqual(said);
    expect(traces(streamed).map((trace) => trace.toFixed(5))).toEqual(traces(reading).map((trace) => trace.toFixed(5)));
    // Of classes, for a loss that takes rows, nothing is known.
    const classes = tf.tensor1d([0, 2, 1, 1, 0, 1]);
    expect(rowSentences(await measureSharpness(model, { xs: x, ys: classes }))).toEqual(said);
    classes.dispose();
    for (const loss of ['meanSquaredError', 'sigmoidCrossEntropy'] as const) {
      const other = network('relu', 'linear');
      expect(rowSentences(await measureSharpness(other, x, { loss }))).toEqual([]);
      other.dispose();
    }
  });

  it('also where the gradient of tf.losses.softmaxCrossEntropy is another, which is said', async () => {
    const logits = network('relu', 'linear');
    const ys = tf.tensor2d(PADDED);
    const reading = await measureSharpness(logits, { xs: x, ys }, { loss: tf.losses.softmaxCrossEntropy });
    expect(reading.trace).toBeCloseTo(1.22354, 4);
    expect(rowSentences(reading)).toEqual([expect.stringMatching(/^Rows of labels of '.*' do not add up to 1: .*/)]);
    // The gradient by logits of a row of zeros, whose loss is 0 whatever the logits.
    const gradient = tf.tidy(() =>
      tf.grad((z: tf.Tensor) => tf.losses.softmaxCrossEntropy([[0, 0, 0]], z))(tf.zeros([1, 3])),
    );
    expect(Math.min(...gradient.dataSync())).toBeGreaterThan(0.3);
    const oneHot = tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1, 2], 'int32'), 3), 'float32'));
    expect(
      rowSentences(await measureSharpness(logits, { xs: x, ys: oneHot }, { loss: 'softmaxCrossEntropy' })),
    ).toEqual([]);
    tf.dispose([ys, gradient, oneHot]);
    logits.dispose();
  });

  it('position by position of a sequence', async () => {
    const sequence = tfl.sequential({
      layers: [
        layers.dense({ units: 3, activation: 'relu', inputShape: [4, 2], kernelInitializer: drawn(1) }),
        layers.dense({ units: 3, activation: 'softmax', kernelInitializer: drawn(2) }),
      ],
    });
    const loss = 'categoricalCrossentropy';
    const steps = tf.randomNormal([5, 4, 2], 0, 1, 'float32', 2);
    const ys = tf.tidy(() => tf.cast(tf.greater(tf.randomUniform([5, 4, 3], 0, 1, 'float32', 3), 0.5), 'float32'));
    const sums = tf.sum(ys, -1);
    const weighted = await measureSharpness(sequence, steps, { loss, sampleWeight: sums });
    for (const method of ['exact', { pairs: 30 }, { tolerance: 0.01 }, { hutchinson: 2 }] as const) {
      const labelled = await measureSharpness(sequence, { xs: steps, ys }, { loss, method });
      const error = Math.abs(labelled.minimumSharpness - weighted.minimumSharpness);
      expect(error).toBeLessThanOrEqual(4 * labelled.standardError + 1e-5);
    }
    tf.dispose([steps, ys, sums]);
    sequence.dispose();
  });

  it('of one output of several', async () => {
    const input = tfl.input({ shape: [2] });
    const hidden = layers.dense({ units: 3, activation: 'relu' }).apply(input) as tfl.SymbolicTensor;
    const [first, second] = ['first', 'second'].map((name) =>
      layers.dense({ units: 3, activation: 'softmax', name }).apply(hidden),
    ) as [tfl.SymbolicTensor, tfl.SymbolicTensor];
    const two = tfl.model({ inputs: input, outputs: [first, second] });
    const loss = 'categoricalCrossentropy';
    const ys = tf.tensor2d(PADDED);
    const reading = await measureSharpness(two, { xs: x, ys: { second: ys } }, { loss });
    expect(rowSentences(reading)).toEqual([expect.stringMatching(/^Every row of targets of 'first' is/)]);
    const weighted = await measureSharpness(two, x, { loss, sampleWeight: { second: [1, 1, 0, 1, 0, 0] } });
    expect(traces(reading).map((trace) => trace.toFixed(5))).toEqual(traces(weighted).map((trace) => trace.toFixed(5)));
    ys.dispose();
    two.dispose();
  });

  it.each<MeasureOptions>([{ method: 'exact' }, { method: { pairs: 12 } }, { method: { tolerance: 0.01 } }])(
    'also in a batch of zeros alone: %o',
    async (options) => {
      const batches = (times: number) =>
        tfd.array([...Array(times).keys()]).map((i) => ({
          xs: i === 0 ? tf.tensor2d(XS) : tf.zeros([6, 2]),
          ys: i === 0 ? tf.tensor2d(PADDED) : tf.zeros([6, 3]),
        }));
      const one = await measureSharpness(model, batches(1) as never, options);
      const three = await measureSharpness(model, batches(3) as never, options);
      expect(three.trace * 3).toBeCloseTo(one.trace, 4);
      expect(three.samples).toBe(18);
    },
  );

  it.each<[string, () => tfl.layers.Layer[]]>([
    [
      'a chain at every time step',
      () => {
        const config = { units: 3, activation: 'relu' as const, useBias: false, kernelInitializer: drawn(1) };
        const first = layers.dense({ ...config, inputShape: [5] });
        const chain = tfl.sequential({ layers: [first] }) as unknown as tfl.layers.Layer;
        return [layers.timeDistributed({ inputShape: [4, 5], layer: chain })];
      },
    ],
    [
      'two kernels and a batch normalization as Keras writes it',
      () => [
        layers.reshape({ inputShape: [4, 5], targetShape: [4, 5, 1] }),
        layers.separableConv2d({
          kernelSize: [1, 3],
          padding: 'same',
          filters: 2,
          useBias: false,
          depthwiseInitializer: drawn(3),
          pointwiseInitializer: drawn(4),
        }),
        layers.batchNormalization({ axis: [3] as never, center: false }),
        layers.reLU(),
        layers.reshape({ targetShape: [4, 10] }),
      ],
    ],
  ])('also where numbers leave the range of float32: %s', async (_, stack) => {
    const network = tfl.sequential({
      layers: [...stack(), layers.dense({ units: 3, kernelInitializer: drawn(9), useBias: false })],
    });
    const inputs = {
      xs: tf.randomNormal([6, 4, 5], 0, 1, 'float32', 1),
      ys: tf.tidy(() => tf.cast(tf.greater(tf.randomUniform([6, 4, 3], 0, 1, 'float32', 3), 0.5), 'float32')),
      sampleWeight: [1, 0, 2, 1, 0.5, 0],
    };
    const loss = 'softmaxCrossEntropy';
    const [first, last] = [network.trainableWeights[0]!, network.trainableWeights.at(-1)!];
    const scale = (by: number) =>
      tf.tidy(() => {
        first.write(tf.mul(first.read(), by));
        last.write(tf.mul(last.read(), 1 / by));
      });
    const plain = await measureSharpness(network, inputs, { loss });
    for (const by of [2 ** 30, 2 ** -30]) {
      scale(by);
      for (const method of ['exact', { pairs: 10_000 }] as const) {
        const { parameters } = await measureSharpness(network, inputs, { loss, method });
        parameters.forEach(({ name, trace }, b) => {
          const factor = name === first.originalName ? by * by : name === last.originalName ? 1 / by / by : 1;
          expect((trace * factor) / plain.parameters[b]!.trace, name).toBeCloseTo(1, 4);
        });
      }
      scale(1 / by);
    }
    tf.dispose([inputs.xs, inputs.ys]);
    network.dispose();
  });

  it('of a function', async () => {
    const w = tf.tidy(() => tf.variable(tf.tensor2d([[0.7, -0.5, 0.1], [-0.4, 0.6, 0.3]]))); // biome-ignore format: one line a tensor
    const f = (inputs: tf.Tensor) => tf.matMul(inputs, w);
    const loss = 'softmaxCrossEntropy';
    const ys = tf.tensor2d(PADDED);
    const { trace: right } = await measureFunctionSharpness(f, [w], x, { loss, sampleWeight: [1, 1, 0, 1, 0, 0] });
    const readings = [
      await measureFunctionSharpness(f, [w], x, { loss, labels: ys }),
      await measureFunctionSharpness(f, [w], { xs: x, ys }, { loss: tf.losses.softmaxCrossEntropy }),
      await measureFunctionSharpness(f, [w], dataset({ xs: XS, ys: PADDED }), { loss, method: { tolerance: 0.01 } }),
    ];
    for (const { trace } of readings) {
      expect(trace).toBeCloseTo(right, 5);
    }
    expect(rowSentences(await measureFunctionSharpness(f, [w], x, { loss }))).toHaveLength(1);
    const wide = tf.zeros([6, 4]);
    await expect(measureFunctionSharpness(f, [w], { xs: x, ys: wide }, { loss })).rejects.toThrow(
      /its loss takes \[6, 3\]/,
    );
    tf.dispose([ys, wide, w]);
  });

  it('of shares that are merged, all with labels or all without, saying what they took for granted', async () => {
    const [first, second] = [tf.slice(x, 0, 3), tf.slice(x, 3, 3)];
    const [ys, rest] = [tf.tensor2d(PADDED.slice(0, 3)), tf.tensor2d(PADDED.slice(3))];
    const merged = async (...samples: Promise<unknown>[]) =>
      mergeSharpnessSamples(model, JSON.parse(JSON.stringify(await Promise.all(samples))));
    const labelled = sampleSharpness(model, { xs: first, ys }, { seed: 1 });
    const known = await merged(labelled, sampleSharpness(model, { xs: second, ys: rest }, { seed: 2 }));
    expect(known.trace).toBeCloseTo(1.22354, 4);
    expect(rowSentences(known)).toEqual([]);
    const without = sampleSharpness(model, second, { seed: 2 });
    expect(rowSentences(await merged(sampleSharpness(model, first, { seed: 1 }), without))).toHaveLength(1);
    await expect(merged(labelled, without)).rejects.toThrow(/weighed in different ways/);
    tf.dispose([first, second, ys, rest]);
  });

  it.each([
    ['rows of another length', () => tf.zeros([6, 4]), /have shape \[6, 4\], but its loss takes \[6, 3\] here/],
    ['fewer rows', () => tf.zeros([5, 3]), /have 5 rows for 6 samples/],
    ['a row below 0', () => tf.fill([6, 3], -1), /the row of sample 0 adds up to -3: rows are finite/],
    ['no numbers', () => tf.fill([6, 3], Number.NaN), /adds up to NaN/],
    [
      'words',
      () => tf.tensor(Array(18).fill('a'), [6, 3], 'string'),
      /labels of '.*' have dtype 'string': pass numbers/,
    ],
    ['a word a sample', () => tf.tensor(Array(6).fill('a'), [6], 'string'), /labels of '.*' have dtype 'string'/],
  ])('or are refused: %s', async (_, make, message) => {
    const ys = make();
    await expect(measureSharpness(model, { xs: x, ys })).rejects.toThrow(message);
    ys.dispose();
  });

  it.each([
    ['no number', Number.NaN],
    ['no end', Number.POSITIVE_INFINITY],
  ])('of classes are refused where one is %s', async (_, value) => {
    const labels = tf.tensor1d([0, 1, 2, value, 0, 0]);
    const options = { loss: 'sparseCategoricalCrossentropy', labels } as const;
    await expect(measureSharpness(model, x, options)).rejects.toThrow(/the row of sample 3 adds up to NaN/);
    labels.dispose();
  });

  it('and are given once', async () => {
    const ys = tf.tensor2d(PADDED);
    await expect(measureSharpness(model, { xs: x, ys }, { labels: ys })).rejects.toThrow(/labels are given twice/);
    const data = dataset({ xs: XS, ys: PADDED });
    await expect(measureSharpness(model, data, { labels: ys })).rejects.toThrow(/let the dataset yield \{ xs, ys \}/);
    await expect(measureSharpness(model, { xs: x, labels: ys } as never)).rejects.toThrow(
      /no option 'labels', only xs/,
    );
    ys.dispose();
  });
});

describe('weights of samples come with a dataset', () => {
  const weights = [1, 1, 0, 1, 0, 0.5];

  it.each(methods.slice(0, 3))('in its order, or with every batch: %s', async (_, method) => {
    const { trace } = await measureSharpness(model, x, { sampleWeight: weights });
    const given = [
      await measureSharpness(model, tfd.array(XS as never[]).batch(4) as never, { method, sampleWeight: weights }),
      await measureSharpness(model, dataset({ xs: XS, sampleWeight: weights }), { method }),
    ];
    for (const reading of given) {
      expect(reading.trace).toBeCloseTo(trace, 5);
    }
  });

  it('as many as there are samples', async () => {
    const data = () => tfd.array(XS as never[]).batch(4) as never;
    const short = tf.ones([5]);
    const refused = [
      [{ sampleWeight: short }, /sampleWeight has 5 entries for a dataset of at least 6 samples/],
      [{ sampleWeight: [...weights, 1] }, /sampleWeight has 7 entries for a dataset of 6 samples/],
      [{ sampleWeight: [1, 1, 1, 1, 1, -2] }, /sampleWeight\[5\] is -2/],
    ] as const;
    for (const [options, message] of refused) {
      await expect(measureSharpness(model, data(), options)).rejects.toThrow(message);
    }
    const twice = dataset({ xs: XS, sampleWeight: weights });
    await expect(measureSharpness(model, twice, { sampleWeight: weights })).rejects.toThrow(
      /sampleWeight are given twice/,
    );
    short.dispose();
  });

  it('those of the samples of a part', async () => {
    const half = await measureSharpness(model, x, { part: 0.5, seed: 3, sampleWeight: Array(6).fill(2) });
    const plain = await measureSharpness(model, x, { part: 0.5, seed: 3 });
    expect(half.trace).toBeCloseTo(2 * plain.trace, 5);
    const options = { part: 0.8, seed: 3 };
    const streamed = () => tfd.array(XS as never[]).batch(2) as never;
    const doubled = await measureSharpness(model, streamed(), { ...options, sampleWeight: Array(6).fill(2) });
    expect(doubled.trace).toBeCloseTo(2 * (await measureSharpness(model, streamed(), options)).trace, 5);
  });
});
