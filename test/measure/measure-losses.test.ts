import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import {
  earlyStopping,
  type Losses,
  measureSharpness,
  mergeSharpnessSamples,
  minimumSharpness,
  sampleSharpness,
} from '../../src/index.js';
import type { MeasureOptions } from '../../src/measure/options.js';
import { minimumSharpnessGradients } from '../../src/measure/sharpness-gradients.js';
import { type Loss as EndingLoss, sampleJacobian, samplesOf } from '../brute-force/jacobian.js';
import { hessianAt, labelsOf, type PlainLoss, plainLosses, titleOf, valueAt } from '../brute-force/plain-losses.js';
import { lcg, setGoldenWeights } from './golden-network.js';

const { layers } = tfl;
const SAMPLES = 12;
const OUTPUTS = 3;
const sum = (x: readonly number[]) => x.reduce((a, b) => a + b, 0);

function network({ activation, ending }: Pick<PlainLoss, 'activation' | 'ending'>): tfl.LayersModel {
  const model = tfl.sequential({
    layers: [
      layers.dense({ units: 5, activation: 'relu', inputShape: [4], name: 'hidden' }),
      layers.dense({ units: OUTPUTS, activation: activation ?? 'linear', name: 'out' }),
    ],
  });
  setGoldenWeights(model, 31);
  if (activation === 'softplus' && ending === undefined) {
    // Rates between 0 and 1, where none of the losses clips.
    const [kernel, bias, last, lastBias] = model.getWeights();
    model.setWeights([kernel!, bias!, tf.mul(last!, 0.2), tf.sub(tf.mul(lastBias!, 0.1), 0.5)]);
  }
  return model;
}

const inputs = () =>
  tf.tensor(
    Array.from(lcg(5, SAMPLES * 4), (u) => 3 * (u - 0.5)),
    [SAMPLES, 4],
  );

/** Traces by explicit Jacobians of z and second differences of the loss, and its mean, all in float64. */
function expectedOf(plain: PlainLoss, model: tfl.LayersModel, x: tf.Tensor, y: number[][]) {
  const taken: EndingLoss =
    plain.ending === 'softmax'
      ? 'categoricalCrossentropy'
      : plain.ending === 'sigmoid'
        ? 'binaryCrossentropy'
        : 'meanSquaredError';
  const traces = new Map(model.trainableWeights.map(({ originalName }) => [originalName, 0]));
  let loss = 0;
  samplesOf([x]).forEach((sample, n) => {
    const { logits, rows } = sampleJacobian(model, taken, sample);
    const z = [...logits];
    loss += valueAt(plain, z, y[n]!) / SAMPLES;
    hessianAt(plain, z, y[n]!).forEach((entries, i) => {
      entries.forEach((a, j) => {
        for (const [name, before] of traces) {
          const product = sum(Array.from(rows[i]!.get(name)!, (v, k) => v * rows[j]!.get(name)![k]!));
          traces.set(name, before + (a * product) / SAMPLES);
        }
      });
    });
  });
  return { traces, loss };
}

async function withNetwork(
  plain: PlainLoss,
  run: (made: { model: tfl.LayersModel; x: tf.Tensor; y: tf.Tensor; labels: number[][] }) => Promise<void>,
): Promise<void> {
  const model = network(plain);
  const x = inputs();
  const labels = labelsOf(plain, SAMPLES, OUTPUTS);
  const y = tf.tensor2d(labels);
  const { numTensors } = tf.memory();
  try {
    await run({ model, x, y, labels });
    expect(tf.memory().numTensors).toBe(numTensors);
  } finally {
    tf.dispose([x, y]);
    model.dispose();
  }
}

const curved = plainLosses.filter(({ isFlat }) => !isFlat);
const titled = (losses: readonly PlainLoss[]) => losses.map((plain) => [titleOf(plain), plain] as const);

describe.each(titled(plainLosses))('%s', (_, plain) => {
  const { loss } = plain;

  it('has the traces of explicit Jacobians, the loss, and a sampled expectation', () =>
    withNetwork(plain, async ({ model, x, y, labels }) => {
      const expected = expectedOf(plain, model, x, labels);
      const reading = await measureSharpness(model, x, { loss, labels: y });
      for (const { name, trace } of reading.parameters) {
        const wanted = expected.traces.get(name)!;
        expect(Math.abs(trace - wanted), name).toBeLessThanOrEqual(1e-3 * wanted + 1e-5);
      }
      expect(Math.abs(reading.loss! - expected.loss)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(expected.loss)));
      expect(reading.minimumSharpness > 0).toBe(!plain.isFlat);
      expect(reading.exact).toBe(
        plain.over === undefined && (plain.activation === undefined || plain.ending !== undefined),
      );

      const sampled = await measureSharpness(model, { xs: x, ys: y }, { loss, method: { pairs: 20 }, seed: 3 });
      expect(Math.abs(sampled.loss! - reading.loss!)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(reading.loss!)));
      expect(Math.abs(sampled.trace - reading.trace)).toBeLessThanOrEqual(
        4 * sum(sampled.parameters.map(({ standardError }) => standardError)) + 1e-5 * reading.trace,
      );
      const close = await measureSharpness(model, { xs: x, ys: y }, { loss, method: { tolerance: 0.01 } });
      expect(Math.abs(close.minimumSharpness - reading.minimumSharpness)).toBeLessThanOrEqual(
        0.05 * reading.minimumSharpness,
      );
    }));
});

/** Batches of a few samples with their labels. */
const datasetOf = (x: tf.Tensor, y: tf.Tensor, batch = 5) => {
  const [xs, ys] = [x, y].map((each) => tfd.array(each.arraySync() as number[][]));
  return tfd.zip({ xs, ys } as never).batch(batch) as never;
};

describe.each(titled(curved.filter(({ loss }) => loss !== 'gaussianMeanDivergence')))(
  '%s, wherever labels come from',
  (_, plain) => {
    const { loss } = plain;

    it('a dataset, in chunks, with weights, in shares, and minibatches of fit', async () => {
      const model = network(plain);
      const x = inputs();
      const y = tf.tensor2d(labelsOf(plain, SAMPLES, OUTPUTS));
      const sampleWeight = Array.from(lcg(8, SAMPLES), (u) => 2 * u);
      const { numTensors } = tf.memory();
      const given = { loss, sampleWeight } as const satisfies MeasureOptions;
      const whole = await measureSharpness(model, x, { ...given, labels: y });
      const chunks = await measureSharpness(model, { xs: x, ys: y }, { ...given, memoryMB: 0.02 });
      const streamed = await measureSharpness(model, datasetOf(x, y), given);
      const drawn = await measureSharpness(model, datasetOf(x, y), { ...given, method: { pairs: 1000 } });
      for (const reading of [chunks, streamed, drawn]) {
        expect(Math.abs(reading.minimumSharpness / whole.minimumSharpness - 1)).toBeLessThan(2e-5);
        expect(Math.abs(reading.loss! - whole.loss!)).toBeLessThan(2e-5 * Math.max(1, Math.abs(whole.loss!)));
        expect(reading.exact).toBe(whole.exact);
      }
      const halves = await Promise.all(
        [0, 6].map(async (begin) => {
          const [xs, ys] = [x, y].map((each) => tf.slice(each, begin, 6));
          const sample = await sampleSharpness(model, { xs: xs!, ys: ys! }, { loss, seed: begin, method: 'exact' });
          tf.dispose([xs!, ys!]);
          return JSON.parse(JSON.stringify(sample)) as typeof sample;
        }),
      );
      const merged = mergeSharpnessSamples(model, halves, { loss });
      const unweighed = await measureSharpness(model, { xs: x, ys: y }, { loss });
      expect(Math.abs(merged.minimumSharpness / unweighed.minimumSharpness - 1)).toBeLessThan(2e-5);
      expect(Math.abs(merged.loss! - unweighed.loss!)).toBeLessThan(2e-5 * Math.max(1, Math.abs(unweighed.loss!)));
      expect(tf.memory().numTensors).toBe(numTensors);
      tf.dispose([x, y]);
      model.dispose();
    });
  },
);

describe('losses of names that tf.js compiles', () => {
  const compiled = plainLosses.filter(({ loss }) => !/Loss$|Distance$|Divergence$/.test(loss) || /^kull/.test(loss));

  it.each(titled(compiled))(
    '%s: the loss is that of evaluate, and minibatches of fit have their labels',
    async (_, plain) => {
      const model = network(plain);
      const [x, y] = [inputs(), tf.tensor2d(labelsOf(plain, SAMPLES, OUTPUTS))];
      model.compile({ optimizer: tf.train.sgd(0), loss: plain.loss });
      const evaluated = model.evaluate(x, y) as tf.Scalar;
      const reading = await measureSharpness(model, { xs: x, ys: y });
      expect(Math.abs(reading.loss! - evaluated.dataSync()[0]!)).toBeLessThan(
        1e-5 * Math.max(1, Math.abs(reading.loss!)),
      );
      const callback = minimumSharpness();
      const problems: string[] = [];
      callback.problems$.subscribe(({ message }) => problems.push(message));
      await model.fit(x, y, { epochs: 1, batchSize: SAMPLES, shuffle: false, verbose: 0, callbacks: [callback] });
      expect(problems).toEqual([]);
      expect(Math.abs(callback.latest!.minimumSharpness - reading.minimumSharpness)).toBeLessThanOrEqual(
        2e-5 * reading.minimumSharpness,
      );
      expect(callback.latest!.loss).toBeCloseTo(reading.loss!, 4);
      callback.dispose();
      tf.dispose([x, y, evaluated]);
      model.dispose();
    },
  );
});

describe('labels', () => {
  const plain = plainLosses.find(({ loss }) => loss === 'huberLoss')!;

  it('that are needed and missing are asked for in one line, before anything is computed', () =>
    withNetwork(plain, async ({ model, x, y }) => {
      const message =
        /^The curvature of 'huberLoss' depends on the labels of 'out': pass labels, or \{ xs, ys \} or a dataset of these\.$/;
      await expect(measureSharpness(model, x, { loss: 'huber' })).rejects.toThrow(message);
      await expect(measureSharpness(model, x, { loss: 'huber', method: { pairs: 9 } })).rejects.toThrow(message);
      expect(() => minimumSharpnessGradients(model, x, { loss: 'huber' })).toThrow(message);
      const nan = tf.fill(y.shape, Number.NaN);
      await expect(measureSharpness(model, x, { loss: 'huber', labels: nan })).rejects.toThrow(
        /^labels of 'out': NaN at sample 0: targets are finite numbers\.$/,
      );
      const negative = tf.fill(y.shape, -1);
      await expect(measureSharpness(model, x, { loss: 'poisson', labels: negative })).rejects.toThrow(
        /^labels of 'out': -1 at sample 0: targets are finite numbers of at least 0\.$/,
      );
      tf.dispose([nan, negative]);
    }));

  it('that are not needed may be missing or strange: then the loss is not known', () =>
    withNetwork(plain, async ({ model, x }) => {
      const without = await measureSharpness(model, x, { loss: 'mse' });
      expect('loss' in without).toBe(false);
      const classes = tf.zeros([SAMPLES]);
      const strange = await measureSharpness(model, x, { loss: 'mse', labels: classes });
      expect('loss' in strange).toBe(false);
      expect(strange.minimumSharpness).toBe(without.minimumSharpness);
      classes.dispose();
    }));

  it('that are no numbers leave the reading, where the loss alone reads them', () =>
    withNetwork(plainLosses.find(({ loss }) => loss === 'logcosh')!, async ({ model, x, y }) => {
      // Norms that small are looked at twice.
      const [kernel, bias, last, lastBias] = model.getWeights();
      const moved = [tf.mul(kernel!, 2 ** -45), tf.mul(bias!, 0), tf.mul(last!, 2 ** 45), lastBias!];
      model.setWeights(moved);
      tf.dispose(moved.slice(0, 3));
      const without = await measureSharpness(model, x, { loss: 'mse' });
      const nan = tf.tidy(() => tf.where(tf.greater(y, 0), Number.NaN, y));
      const strange = await measureSharpness(model, x, { loss: 'mse', labels: nan });
      expect(strange.minimumSharpness).toBe(without.minimumSharpness);
      expect(Number.isFinite(strange.loss)).toBe(false);
      nan.dispose();
    }));

  it('count in the gradient of Minimum Sharpness, which differences confirm', () =>
    withNetwork(plainLosses.find(({ loss }) => loss === 'logcosh')!, async ({ model, x, y }) => {
      const { parameters } = minimumSharpnessGradients(model, x as never, { loss: 'logcosh', labels: y as never });
      const before = model.getWeights().map((each) => each.clone());
      const at = async (step: number) => {
        const values = before[2]!.dataSync().slice();
        values[4]! += step;
        const moved = tf.tensor(values, before[2]!.shape);
        model.setWeights(before.with(2, moved));
        const { minimumSharpness } = await measureSharpness(model, x, { loss: 'logcosh', labels: y });
        moved.dispose();
        return minimumSharpness;
      };
      const slope = ((await at(5e-3)) - (await at(-5e-3))) / 1e-2;
      const found = parameters.find(({ name }) => name.startsWith('out/kernel'))!.gradient.dataSync()[4]!;
      expect(Math.abs(found - slope)).toBeLessThan(1e-2 * Math.max(0.1, Math.abs(slope)));
      tf.dispose([...parameters.map(({ gradient }) => gradient), ...before]);
    }));
});

describe('outputs that are not finite', () => {
  it.each(['squaredHinge', 'huberLoss', 'logcosh', 'meanSquaredLogarithmicError', 'meanAbsoluteError'] as const)(
    '%s refuses them, and does not take them for flat',
    async (loss) => {
      const model = tfl.sequential({
        layers: [
          layers.dense({ units: 2, inputShape: [2], useBias: false }),
          layers.dense({ units: 1, useBias: false }),
        ],
      });
      model.setWeights([tf.fill([2, 2], 1e25), tf.fill([2, 1], 1e25)]);
      const [x, y] = [tf.ones([6, 2]), tf.ones([6, 1])];
      const { numTensors } = tf.memory();
      for (const method of ['exact', { pairs: 3 }] as const) {
        for (const inputs of [{ xs: x, ys: y }, datasetOf(x, y)]) {
          const refused = await measureSharpness(model, inputs, { loss, method }).catch((error: Error) => error);
          expect(refused).toBeInstanceOf(RangeError);
          expect((refused as RangeError).message).toMatch(/ not finite: look for weights or inputs that are huge/);
        }
      }
      expect(tf.memory().numTensors).toBe(numTensors);
      tf.dispose([x, y]);
      model.dispose();
    },
  );
});

describe('factors of the output Hessian', () => {
  /** Squared error times a constant, as an object of a class. */
  class Times {
    readonly perOutput = 1;
    readonly size: number;
    constructor(size: number) {
      this.size = size;
    }
    columns(outputs: number) {
      return this.perOutput * outputs;
    }
    factor(z: tf.Tensor2D) {
      const [rows, outputs] = z.shape;
      const root = tf.mul(tf.eye(outputs), this.size * Math.sqrt(2 / outputs));
      return tf.tile(tf.expandDims(root, 1), [1, rows, 1]) as tf.Tensor3D;
    }
  }
  const sumOfRows = (z: tf.Tensor2D) => tf.sum(z, 1);
  const plain = plainLosses.find(({ loss }) => loss === 'logcosh')!;

  it('may be objects of a class', () =>
    withNetwork(plain, async ({ model, x }) => {
      const own = await measureSharpness(model, x, { loss: new Times(1) });
      const named = await measureSharpness(model, x, { loss: 'mse' });
      expect(own.minimumSharpness / named.minimumSharpness).toBeCloseTo(1, 5);
    }));

  it('may be 0 for all samples, which is not what is too small to see', () =>
    withNetwork(plain, async ({ model, x, y }) => {
      const method = { pairs: 5 };
      for (const inputs of [x, datasetOf(x, y)]) {
        for (const more of [{}, { method }]) {
          const reading = await measureSharpness(model, inputs, { loss: new Times(0), ...more });
          expect([reading.minimumSharpness, reading.trace]).toEqual([0, 0]);
        }
      }
      const named = await measureSharpness(model, x, { loss: 'mse' });
      const tiny = await measureSharpness(model, x, { loss: new Times(1e-25), method });
      expect(tiny.trace / named.trace / 1e-50).toBeCloseTo(1, 4);
      const labelled = Object.assign(new Times(1e-25), { needsLabels: true, value: sumOfRows });
      const read = await measureSharpness(model, { xs: x, ys: y }, { loss: labelled as never });
      expect(read.trace / named.trace / 1e-50).toBeCloseTo(1, 4);
      await expect(measureSharpness(model, datasetOf(x, y), { loss: new Times(1e-25), method })).rejects.toThrow(
        RangeError,
      );
    }));
});

describe('sums of losses', () => {
  it('a constant times a loss is that multiple, by output and alone', () =>
    withNetwork(plainLosses.find(({ loss }) => loss === 'logcosh')!, async ({ model, x, y }) => {
      const options = { labels: y } as const;
      const once = await measureSharpness(model, x, { ...options, loss: 'logcosh' });
      for (const loss of [
        { loss: 'logcosh', factor: 2.5 },
        [{ loss: 'logcosh', factor: 2.5 }],
        { out: { loss: 'logcosh', factor: 2.5 } },
      ] as Losses[]) {
        const times = await measureSharpness(model, x, { ...options, loss });
        expect(times.minimumSharpness / once.minimumSharpness).toBeCloseTo(2.5, 5);
        expect(times.loss! / once.loss!).toBeCloseTo(2.5, 5);
      }
    }));

  it('the divergence of a variational autoencoder is that of its two outputs', async () => {
    const input = tfl.input({ shape: [4] });
    const dense = (units: number, name: string, activation: 'relu' | 'linear' | 'sigmoid' = 'linear') =>
      layers.dense({ units, name, activation });
    const hidden = dense(6, 'encoder', 'relu').apply(input);
    const mean = dense(2, 'z_mean').apply(hidden) as tfl.SymbolicTensor;
    const variance = dense(2, 'z_log_var').apply(hidden) as tfl.SymbolicTensor;
    const decoded = dense(4, 'decoded', 'sigmoid').apply(dense(6, 'decoder', 'relu').apply(mean)) as tfl.SymbolicTensor;
    const model = tfl.model({ inputs: input, outputs: [decoded, mean, variance] });
    setGoldenWeights(model, 11);
    const x = tf.sigmoid(inputs());
    const loss = {
      decoded: { loss: 'binaryCrossentropy', factor: 4 },
      z_mean: 'gaussianMeanDivergence',
      z_log_var: 'gaussianVarianceDivergence',
    } as const;
    const placeholder = tf.zeros([SAMPLES, 2]);
    const whole = await measureSharpness(model, { xs: x, ys: { decoded: x } as never }, { loss });
    const parts = await Promise.all(
      Object.entries(loss).map(([name, each]) =>
        measureSharpness(model, { xs: x, ys: { decoded: x } as never }, { loss: { [name]: each } }),
      ),
    );
    expect(Math.abs(sum(parts.map(({ trace }) => trace)) / whole.trace - 1)).toBeLessThan(1e-5);
    expect(Math.abs(sum(parts.map((each) => each.loss!)) / whole.loss! - 1)).toBeLessThan(1e-5);
    // KL of N(m, exp v) from N(0, 1), and the reconstruction, added up over the outputs.
    const expected = tf.tidy(() => {
      const [p, m, v] = model.predict(x) as tf.Tensor[];
      const bits = tf.add(tf.mul(x, tf.log(p!)), tf.mul(tf.sub(1, x), tf.log(tf.sub(1, p!))));
      const divergence = tf.sum(tf.sub(tf.add(tf.square(m!), tf.exp(v!)), tf.add(v!, 1)));
      return tf.div(tf.sub(tf.div(divergence, 2), tf.sum(bits)), SAMPLES).dataSync()[0]!;
    });
    expect(Math.abs(whole.loss! / expected - 1)).toBeLessThan(1e-5);
    // With all weights of the outputs alone, A = exp(v) / 2 and 1 for their biases.
    const biasOf = (layer: string) => whole.parameters.find(({ name }) => name === `${layer}/bias`)!.trace;
    const curvature = tf.tidy(() => {
      const [, , v] = model.predict(x) as tf.Tensor[];
      return tf.div(tf.sum(tf.exp(v!)), 2 * SAMPLES).dataSync()[0]!;
    });
    expect(biasOf('z_log_var') / curvature).toBeCloseTo(1, 5);
    tf.dispose([x, placeholder]);
    model.dispose();
  });

  it('a loss without curvature beside one with it adds nothing, and is named', async () => {
    const input = tfl.input({ shape: [4] });
    const hidden = layers.dense({ units: 5, activation: 'relu', name: 'hidden' }).apply(input);
    const heads = ['left', 'right'].map((name) => layers.dense({ units: 2, name }).apply(hidden) as tfl.SymbolicTensor);
    const model = tfl.model({ inputs: input, outputs: heads });
    setGoldenWeights(model, 13);
    const x = inputs();
    const both = await measureSharpness(model, x, { loss: ['mae', 'mse'] });
    const one = await measureSharpness(model, x, { loss: { right: 'mse' } });
    expect(both.trace).toBeCloseTo(one.trace, 4);
    expect(both.parameters.filter(({ layer }) => layer === 'left').map(({ trace }) => trace)).toEqual([0, 0]);
    expect(both.assumptions.filter((each) => /straight pieces/.test(each))).toHaveLength(1);
    const drawn = await measureSharpness(model, x, { loss: ['mae', 'mse'], method: { pairs: 15 } });
    expect(drawn.trace).toBeCloseTo(one.trace, -2);
    x.dispose();
    model.dispose();
  });
});

describe('sequences', () => {
  it.each(['logcosh', 'cosineProximity', 'poisson'] as const)('%s is a mean over positions', async (loss) => {
    const model = tfl.sequential({
      layers: [
        layers.dense({ units: 5, activation: 'relu', inputShape: [3, 4] }),
        layers.dense({ units: 3, activation: 'softplus', name: 'out' }),
      ],
    });
    setGoldenWeights(model, 3);
    const flat = tfl.sequential({
      layers: [
        layers.dense({ units: 5, activation: 'relu', inputShape: [4] }),
        layers.dense({ units: 3, activation: 'softplus', name: 'out' }),
      ],
    });
    flat.setWeights(model.getWeights());
    const x = tf.tensor(
      Array.from(lcg(5, 4 * 12), (u) => 3 * (u - 0.5)),
      [4, 3, 4],
    );
    const y = tf.tensor(
      Array.from(lcg(6, 4 * 9), (u) => 3 * u),
      [4, 3, 3],
    );
    const sequences = await measureSharpness(model, { xs: x, ys: y }, { loss });
    const [rows, rowLabels] = [tf.reshape(x, [12, 4]), tf.reshape(y, [12, 3])];
    const alone = await measureSharpness(flat, { xs: rows, ys: rowLabels }, { loss });
    expect(sequences.loss! / alone.loss!).toBeCloseTo(1, 5);
    // Biases of the last layer see no other position of their sample: theirs is a sum of independent columns.
    const biasOf = ({ parameters }: typeof alone) => parameters.find(({ name }) => name.startsWith('out/bias'))!.trace;
    expect(biasOf(sequences) / biasOf(alone)).toBeCloseTo(1, 4);
    const drawn = await measureSharpness(model, { xs: x, ys: y }, { loss, method: { pairs: 30 }, seed: 1 });
    expect(Math.abs(drawn.trace / sequences.trace - 1)).toBeLessThan(0.5);
    const all = await measureSharpness(model, { xs: x, ys: y }, { loss, method: { pairs: 36 } });
    expect(Math.abs(all.trace / sequences.trace - 1)).toBeLessThan(1e-5);
    tf.dispose([x, y, rows, rowLabels]);
    tf.dispose([...model.weights, ...flat.weights].map((w) => w.read()));
  });
});

/** Kinds of programs that train by other losses than cross-entropies and squared errors. */
describe('programs', () => {
  const images = () => tf.tensor(Array.from(lcg(7, 8 * 16)), [8, 4, 4, 1]);
  const rows = (samples = 8) =>
    tf.tensor(
      Array.from(lcg(9, samples * 4), (u) => 2 * u - 1),
      [samples, 4],
    );
  const one = (units: number, activation: 'linear' | 'relu' | 'softplus' | 'softmax', more = {}) =>
    layers.dense({ units, activation, ...more });
  type Program = { model: () => tfl.LayersModel; x: () => tf.Tensor; y: (x: tf.Tensor) => tf.Tensor; loss: unknown };
  const chain =
    (...stack: tfl.layers.Layer[]) =>
    () =>
      tfl.sequential({ layers: stack });

  const programs: [string, boolean, Program][] = [
    [
      'a DQN by tf.losses.huberLoss, whose targets differ for one action alone',
      false,
      {
        model: () => chain(one(6, 'relu', { inputShape: [4] }), one(3, 'linear'))(),
        x: rows,
        y: () =>
          tf.tensor(
            Array.from(lcg(3, 24), (u) => 2 * u),
            [8, 3],
          ),
        loss: tf.losses.huberLoss,
      },
    ],
    [
      'a support vector machine',
      true,
      {
        model: () => chain(one(1, 'linear', { inputShape: [4] }))(),
        x: rows,
        y: (x) => tf.sign(tf.slice(x, [0, 0], [-1, 1])),
        loss: 'hinge',
      },
    ],
    [
      'one with squares',
      false,
      {
        model: () => chain(one(1, 'linear', { inputShape: [4] }))(),
        x: rows,
        y: (x) => tf.sign(tf.slice(x, [0, 0], [-1, 1])),
        loss: 'squaredHinge',
      },
    ],
    [
      'Poisson regression of counts',
      false,
      {
        model: () => chain(one(5, 'relu', { inputShape: [4] }), one(1, 'softplus'))(),
        x: rows,
        y: (x) => tf.floor(tf.mul(3, tf.abs(tf.slice(x, [0, 0], [-1, 1])))),
        loss: 'poisson',
      },
    ],
    [
      'an embedding by cosines',
      false,
      {
        model: () => chain(one(5, 'relu', { inputShape: [4] }), one(3, 'linear'))(),
        x: rows,
        y: () =>
          tf.tensor(
            Array.from(lcg(4, 24), (u) => u - 0.5),
            [8, 3],
          ),
        loss: 'cosineProximity',
      },
    ],
    [
      'distillation of a teacher that is not sure',
      false,
      {
        model: () => chain(one(5, 'relu', { inputShape: [4] }), one(3, 'softmax'))(),
        x: rows,
        y: () =>
          tf.softmax(
            tf.tensor2d(
              Array.from(lcg(4, 24), (u) => 4 * u),
              [8, 3],
            ),
          ),
        loss: 'kullbackLeiblerDivergence',
      },
    ],
    [
      'super-resolution by absolute errors',
      true,
      {
        model: () =>
          chain(
            layers.upSampling2d({ size: [2, 2], inputShape: [4, 4, 1] }),
            layers.conv2d({ filters: 2, kernelSize: 3, padding: 'same', activation: 'relu' }),
            layers.conv2d({ filters: 1, kernelSize: 3, padding: 'same' }),
          )(),
        x: images,
        y: (x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [8, 8]),
        loss: 'meanAbsoluteError',
      },
    ],
  ];

  it.each(programs)('%s', async (_, isFlat, { model: make, x: inputsOf, y: labelsFor, loss }) => {
    const model = make();
    setGoldenWeights(model, 21);
    const x = inputsOf();
    const y = tf.tidy(() => labelsFor(x));
    // wasm cannot train a convolution.
    const canTrain = tf.getBackend() !== 'wasm' || x.rank === 2;
    model.compile({ optimizer: tf.train.sgd(0.01), loss: loss as string });
    const problems: string[] = [];
    const minibatches = minimumSharpness({ name: 'minibatches' });
    const whole = minimumSharpness({ data: { xs: x, ys: y } });
    for (const callback of [minibatches, whole]) {
      callback.problems$.subscribe(({ message }) => problems.push(message));
    }
    if (canTrain) {
      const stopping = earlyStopping({ monitor: 'minimumSharpness', patience: 5, restoreBestWeights: true });
      const callbacks = [minibatches, whole, stopping];
      const { history } = await model.fit(x, y, { epochs: 2, batchSize: 8, shuffle: false, verbose: 0, callbacks });
      expect(problems).toEqual([]);
      expect(history.minimumSharpness!.every((value) => (value as number) > 0 !== isFlat)).toBe(true);
      // After the epoch, the batch that it began with.
      expect(minibatches.latest!.minimumSharpness).toBeCloseTo(whole.latest!.minimumSharpness, 3);
      expect(minibatches.latest!.loss).toBeCloseTo(whole.latest!.loss!, 4);
      expect(history.loss!.length).toBe(2);
    }
    const reading = await measureSharpness(model, { xs: x, ys: y });
    expect(reading.assumptions.some((each) => /straight pieces/.test(each))).toBe(isFlat);
    const evaluated = model.evaluate(x, y) as tf.Scalar;
    expect(reading.loss).toBeCloseTo(evaluated.dataSync()[0]!, 4);
    minibatches.dispose();
    whole.dispose();
    tf.dispose([x, y, evaluated]);
    model.dispose();
  });
});
