import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it, vi } from 'vitest';
import { measureFunctionSharpness } from '../../src/measure/measure-function.js';
import { estimateSharpness, measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureMethod, MeasureOptions } from '../../src/measure/options.js';
import { printable, type SharpnessReading } from '../../src/measure/reading.js';
import { mergeSharpnessSamples, sampleSharpness } from '../../src/measure/sharpness-sample.js';
import { minimumSharpness } from '../../src/training/minimum-sharpness.js';
import { readingOf } from '../training/streams/readings.js';
import { freshClassifier, model, x } from './small-classifier.js';

const { layers } = tfl;

freshClassifier();

describe('what a reading says of itself', () => {
  it('counts samples and pairs, adds up the trace, and is exact without remarks for a ReLU network', async () => {
    const labels = tf.fill([12, 3], 1 / 3);
    const reading = await measureSharpness(model, x, { labels });
    labels.dispose();
    expect(reading.samples).toBe(12);
    expect(reading.pairs).toBe(12 * 2);
    expect(reading.trace).toBeCloseTo(
      reading.parameters.reduce((sum, { trace }) => sum + trace, 0),
      10,
    );
    expect(reading.minimumSharpness).toBeLessThan(reading.trace);
    expect(reading.exact).toBe(true);
    expect(reading.assumptions).toEqual([]);
    expect(reading.parameters.map(({ name, layer }) => [name, layer])).toEqual([
      ['hidden/kernel', 'hidden'],
      ['hidden/bias', 'hidden'],
      ['head/kernel', 'head'],
      ['head/bias', 'head'],
    ]);
  });

  it.each<[string, tfl.layers.Layer[], boolean, RegExp]>([
    [
      'a smooth activation',
      [layers.dense({ units: 4, activation: 'tanh', inputShape: [5], name: 'bent' })],
      false,
      /Gauss-Newton .* tanh activation of 'bent'/,
    ],
    [
      'batch normalization',
      [layers.dense({ units: 4, inputShape: [5] }), layers.batchNormalization({ name: 'norm' })],
      true,
      /'norm'\) is measured as in inference/,
    ],
    [
      'frozen weights',
      [layers.dense({ units: 4, inputShape: [5], name: 'still', trainable: false })],
      true,
      /frozen weights of 'still' are left out/,
    ],
    [
      'a regularizer',
      [layers.dense({ units: 4, inputShape: [5], name: 'held', kernelRegularizer: 'l1l2' })],
      true,
      /regularizers of 'held' are not counted/,
    ],
  ])('names %s', async (_, body, exact, sentence) => {
    const other = tfl.sequential({ layers: [...body, layers.dense({ units: 3 })] });
    const reading = await measureSharpness(other, x, { loss: 'softmaxCrossEntropy' });
    expect(reading.exact).toBe(exact);
    expect(reading.assumptions.join('\n')).toMatch(sentence);
    other.dispose();
  });

  it('is exact when a smooth activation lies below all trained weights', async () => {
    const other = tfl.sequential({
      layers: [layers.activation({ activation: 'tanh', inputShape: [5] }), layers.dense({ units: 3 })],
    });
    expect((await measureSharpness(other, x, { loss: 'softmaxCrossEntropy' })).exact).toBe(true);
    other.dispose();
  });
});

describe('how a reading was taken', () => {
  const merged = async (...methods: MeasureMethod[]) => {
    const shares = methods.map((method, seed) => sampleSharpness(model, tf.add(x, seed), { method, seed }));
    return mergeSharpnessSamples(model, await Promise.all(shares));
  };
  const measured = (options: MeasureOptions) => () => measureSharpness(model, x, options);
  const ofFunction = (method: { readonly tolerance: number } | { readonly pairs: number }) => async () => {
    const w = tf.variable(tf.randomNormal([5, 3], 0, 1, 'float32', 4));
    const f = (given: tf.Tensor) => tf.matMul(given as tf.Tensor2D, w as unknown as tf.Tensor2D);
    const reading = await measureFunctionSharpness(f, [w], x, { loss: 'softmaxCrossEntropy', method });
    w.dispose();
    return reading;
  };

  it.each<[string, SharpnessReading['method'], () => Promise<SharpnessReading>]>([
    ['all pairs', 'exact', measured({})],
    ['some pairs', 'sampled', measured({ method: { pairs: 10 } })],
    ['as many pairs as there are', 'exact', measured({ method: { pairs: 24 } })],
    ['a tolerance, of few samples', 'exact', measured({ method: { tolerance: 0.02 } })],
    ['a tolerance, of a part of few samples', 'exact', measured({ part: 0.5, method: { tolerance: 0.02 } })],
    [
      'random probes',
      'hutchinson',
      () => measureSharpness(model, { xs: x, ys: tf.fill([12, 3], 1 / 3) }, { method: { hutchinson: 2 } }),
    ],
    ['a minibatch', 'exact', () => estimateSharpness(model, x)],
    [
      'a tolerance, of a dataset',
      'sampled',
      () => measureSharpness(model, tfd.array(tf.unstack(x)).batch(5) as never, { method: { tolerance: 0.02 } }),
    ],
    ['shares in which all were measured', 'exact', () => merged('exact', { tolerance: 0.02 })],
    ['shares of which one was drawn from', 'sampled', () => merged('exact', { pairs: 10 })],
    ['a function, some pairs', 'sampled', ofFunction({ pairs: 10 })],
    ['a function, a tolerance that all pairs meet', 'exact', ofFunction({ tolerance: 0.02 })],
  ])('%s: %s', async (_, method, measure) => {
    tf.engine().startScope();
    try {
      expect((await measure()).method).toBe(method);
    } finally {
      tf.engine().endScope();
    }
  });
});

describe('a network without free scales', () => {
  it('has its trace for Minimum Sharpness, and says so', async () => {
    const other = tfl.sequential({ layers: [layers.dense({ units: 3, inputShape: [5] })] });
    const reading = await measureSharpness(other, x, { loss: 'softmaxCrossEntropy' });
    expect(reading.minimumSharpness / reading.trace).toBeCloseTo(1, 12);
    expect(reading.scales).toEqual([]);
    expect(reading.assumptions).toEqual([
      expect.stringMatching(/^Every row of targets/),
      expect.stringMatching(/^No layers can exchange scale/),
    ]);
    other.dispose();
  });
});

describe('minima that no rescaling reaches', () => {
  const three = (head: Partial<Parameters<typeof layers.dense>[0]>, trunk = {}) =>
    tfl.sequential({
      layers: [
        layers.dense({ units: 6, activation: 'relu', inputShape: [5], name: 'a', ...trunk }),
        layers.dense({ units: 6, activation: 'relu', name: 'b', ...trunk }),
        layers.dense({ units: 3, name: 'head', ...head }),
      ],
    });
  it('is the infimum for a zero-initialised head, which it names', async () => {
    const other = three({ kernelInitializer: 'zeros' });
    const reading = await measureSharpness(other, x, { loss: 'softmaxCrossEntropy' });
    // No delta passes a zero head: only its own terms are left, and the kernel's can be scaled away.
    const bias = reading.parameters.find(({ name }) => name === 'head/bias')?.trace as number;
    expect(reading.minimumSharpness / bias).toBeCloseTo(1, 10);
    expect(reading.assumptions.join('\n')).toMatch(/'head'/);
    other.dispose();
  });

  it('keeps the scale of frozen layers', async () => {
    for (const other of [three({ trainable: false }), three({}, { trainable: false })]) {
      const reading = await measureSharpness(other, x, { loss: 'softmaxCrossEntropy' });
      expect(reading.minimumSharpness).toBeGreaterThan(0.01 * reading.trace);
      expect(reading.assumptions.join('\n')).toMatch(/frozen weights of/);
      other.dispose();
    }
  });
});

describe('a reading as text', () => {
  const reading = readingOf(27.4219, {
    standardError: 0.5468,
    method: 'sampled',
    trace: 31.204,
    samples: 4000,
    pairs: 256,
  });

  it('is one line', () => {
    expect(`${printable({ ...reading, step: 375, epoch: 2 })}`).toBe(
      'Minimum Sharpness 27.42 ± 0.55 at batch 375, epoch 3 (trace 31.2, 4000 samples, sampled with 256 rows)',
    );
    expect(`${printable(readingOf(5, { reliable: false }))}`).toBe(
      'Minimum Sharpness 5 (trace 10, 10 samples, exact, error not reliable)',
    );
  });

  it('is no part of the data', () => {
    const plain = { ...reading };
    const shown = printable({ ...reading });
    expect(Object.keys(shown)).toEqual(Object.keys(plain));
    expect(JSON.stringify(shown)).toBe(JSON.stringify(plain));
    expect({ ...shown }).toStrictEqual(plain);
    expect(structuredClone(shown)).toStrictEqual(plain);
    expect(Object.getPrototypeOf(shown)).toBe(Object.prototype);
  });

  it('is what measureSharpness and the callback give', async () => {
    vi.spyOn(console, 'info').mockImplementation(() => {});
    expect(`${await measureSharpness(model, x)}`).toMatch(
      /^Minimum Sharpness [\d.]+ \(trace [\d.]+, 12 samples, exact\)$/,
    );
    const sharpness = minimumSharpness({ data: x });
    const y = tf.fill([12, 3], 1 / 3);
    await model.fit(x, y, { epochs: 2, batchSize: 6, verbose: 0, callbacks: [sharpness] });
    expect(`${sharpness.latest}`).toMatch(/^Minimum Sharpness [\d.]+ at batch 4, epoch 2 \(/);
    sharpness.dispose();
    y.dispose();
    vi.restoreAllMocks();
  });
});

it('has no loss where targets are no numbers', async () => {
  const made = tfl.sequential({ layers: [tfl.layers.dense({ units: 3, inputShape: [4] })] });
  made.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const [inputs, labels, numbers] = [tf.ones([8, 4]), tf.fill([8, 3], Number.NaN), tf.ones([8, 3])];
  expect(await measureSharpness(made, inputs, { labels })).not.toHaveProperty('loss');
  expect(await measureSharpness(made, inputs, { labels: numbers })).toHaveProperty('loss');
  tf.dispose([inputs, labels, numbers]);
  made.dispose();
});
