import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { estimateSharpness, measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';
import type { SharpnessReading } from '../../src/measure/reading.js';

const { layers } = tfl;

function classifier(loss: tfl.ModelCompileArgs['loss'] | null = 'categoricalCrossentropy'): tfl.LayersModel {
  const model = tfl.sequential({
    layers: [
      layers.dense({ units: 6, activation: 'relu', inputShape: [5], name: 'hidden' }),
      layers.dense({ units: 3, activation: 'softmax', name: 'head' }),
    ],
  });
  if (loss) {
    model.compile({ loss, optimizer: 'sgd' });
  }
  return model;
}

/** Everything that does not depend on the clock. */
function numbers({ durationMs, ...rest }: SharpnessReading): Omit<SharpnessReading, 'durationMs'> {
  expect(durationMs).toBeGreaterThan(0);
  return rest;
}

function expectSameTraces(a: SharpnessReading, b: SharpnessReading): void {
  expect(a.samples).toBe(b.samples);
  expect(a.minimumSharpness / b.minimumSharpness).toBeCloseTo(1, 6);
  a.parameters.forEach(({ trace }, i) => {
    expect(trace / b.parameters[i].trace).toBeCloseTo(1, 6);
  });
}

let model: tfl.LayersModel;
let x: tf.Tensor2D;
let tensors: number;
beforeEach(() => {
  model = classifier();
  x = tf.randomNormal([12, 5], 0, 1, 'float32', 3);
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors);
  model.dispose();
  x.dispose();
});

describe('inputs', () => {
  it('takes a tensor, an array and tensors by name alike', async () => {
    const reading = numbers(await measureSharpness(model, x));
    expect(numbers(await measureSharpness(model, [x]))).toEqual(reading);
    expect(numbers(await measureSharpness(model, { [model.inputNames[0]]: x }))).toEqual(reading);
  });

  it('takes int32 tensors for what they are worth', async () => {
    const whole = tf.tidy(() => tf.round(tf.mul(x, 3)));
    const integers = tf.cast(whole, 'int32');
    expectSameTraces(await measureSharpness(model, integers), await measureSharpness(model, whole));
    tf.dispose([whole, integers]);
  });

  it.each([
    ['xs', (rows: tf.Tensor) => rows],
    ['{ xs, ys }', (rows: tf.Tensor) => ({ xs: rows, ys: tf.zeros([rows.shape[0], 3]) })],
    ['xs by name', (rows: tf.Tensor) => ({ [model.inputNames[0]]: rows })],
  ])('reads a dataset of %s, batch by batch, and disposes what it yields', async (_, item) => {
    const sizes = [5, 4, 3];
    const dataset = tfd.generator(function* () {
      for (let i = 0, begin = 0; i < sizes.length; begin += sizes[i++]) {
        yield item(tf.slice(x, [begin, 0], [sizes[i], 5])) as tf.TensorContainer;
      }
    });
    const seen: (number | undefined)[] = [];
    const onProgress: MeasureOptions['onProgress'] = ({ samples, total }) => seen.push(samples, total);
    const reading = await measureSharpness(model, dataset, { onProgress });
    expectSameTraces(reading, await measureSharpness(model, x));
    expect(seen.at(-2)).toBe(12);
    expect(seen.at(-1)).toBeUndefined();
  });

  it('disposes what a dataset yielded when a batch of it is refused', async () => {
    const dataset = tfd.generator(function* () {
      yield tf.zeros([2, 5]);
      yield tf.zeros([2, 4]);
    });
    await expect(measureSharpness(model, dataset)).rejects.toThrow(/shape \[2, 4\]/);
  });
});

describe('losses', () => {
  const logits = () => {
    const open = tfl.sequential({ layers: [layers.dense({ units: 3, inputShape: [5] })] });
    return open;
  };
  it.each<[string, () => tfl.LayersModel, tfl.ModelCompileArgs['loss'], MeasureOptions['loss']]>([
    ['sparse cross-entropy', () => classifier(null), 'sparseCategoricalCrossentropy', 'categoricalCrossentropy'],
    ['a list of one', () => classifier(null), ['categoricalCrossentropy'], 'categoricalCrossentropy'],
    ['by output name', () => classifier(null), { head: 'categoricalCrossentropy' }, 'categoricalCrossentropy'],
    [
      'tf.metrics.categoricalCrossentropy',
      () => classifier(null),
      tfl.metrics.categoricalCrossentropy,
      'categoricalCrossentropy',
    ],
    ['tf.losses.softmaxCrossEntropy', logits, tf.losses.softmaxCrossEntropy as () => tf.Tensor, 'softmaxCrossEntropy'],
    ['tf.losses.sigmoidCrossEntropy', logits, tf.losses.sigmoidCrossEntropy as () => tf.Tensor, 'sigmoidCrossEntropy'],
    ['tf.losses.meanSquaredError', logits, tf.losses.meanSquaredError as () => tf.Tensor, 'meanSquaredError'],
    ['tf.metrics.mse', logits, tfl.metrics.mse, 'meanSquaredError'],
  ])('knows %s by what the model was compiled with', async (_, make, loss, expected) => {
    const compiled = make();
    compiled.compile({ loss, optimizer: 'sgd' });
    const given = numbers(await measureSharpness(compiled, x, { loss: expected }));
    expect(numbers(await measureSharpness(compiled, x))).toEqual(given);
    compiled.dispose();
  });

  it('measures softmax cross-entropy alike before a softmax and on logits', async () => {
    const open = tfl.model({ inputs: model.inputs, outputs: logitsOf(model) });
    const onLogits = await measureSharpness(open, x, { loss: 'softmaxCrossEntropy' });
    const throughSoftmax = await measureSharpness(model, x);
    // The same head without its activation is another layer: compare what lies below it.
    expect(onLogits.parameters.map(({ name }) => name)).toEqual([
      'hidden/kernel',
      'hidden/bias',
      'logits/kernel',
      'logits/bias',
    ]);
    onLogits.parameters.forEach(({ trace }, i) => {
      expect(trace / throughSoftmax.parameters[i].trace).toBeCloseTo(1, 5);
    });
    open.getLayer('logits').dispose();
  });

  function logitsOf(source: tfl.LayersModel): tfl.SymbolicTensor {
    const hidden = source.getLayer('hidden').output as tfl.SymbolicTensor;
    const layer = layers.dense({ units: 3, name: 'logits' });
    const output = layer.apply(hidden) as tfl.SymbolicTensor;
    layer.setWeights(source.getLayer('head').getWeights());
    return output;
  }
});

describe('sampleWeight', () => {
  it.each([
    ['an array', (weights: number[]) => weights],
    ['a tensor', (weights: number[]) => tf.tensor1d(weights)],
  ])('weights the samples of the mean: %s', async (_, as) => {
    const twice = tf.tidy(() => tf.concat([x, tf.slice(x, 0, 4)]));
    const weights = as([2, 2, 2, 2, ...Array(8).fill(1)]);
    const weighted = await measureSharpness(model, x, { sampleWeight: weights as number[] });
    const repeated = await measureSharpness(model, twice);
    // The mean divides by 12 here and by 16 there.
    expect(weighted.trace / ((repeated.trace * 16) / 12)).toBeCloseTo(1, 5);
    tf.dispose([twice, weights]);
  });
});

describe('estimateSharpness', () => {
  it('carries the spread between samples, and measureSharpness does not', async () => {
    const each = await Promise.all(
      Array.from({ length: 12 }, async (_, n) => {
        const row = tf.slice(x, n, 1);
        const reading = await measureSharpness(model, row);
        row.dispose();
        return reading;
      }),
    );
    const estimate = await estimateSharpness(model, x);
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const error = (values: number[]) =>
      Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / 11 / 12);
    estimate.parameters.forEach(({ trace, standardError }, b) => {
      const traces = each.map(({ parameters }) => parameters[b].trace);
      expect(trace / mean(traces)).toBeCloseTo(1, 5);
      expect(standardError / error(traces)).toBeCloseTo(1, 4);
    });
    // MS of the minibatch is sum_b f_b T_b with the factors of its optimal scales, and so is its spread.
    const [hidden, head] = estimate.scales.map(({ alpha }) => alpha);
    const factors = [hidden ** -2, hidden ** -2, head ** -2, 1];
    const u = each.map(({ parameters }) => parameters.reduce((sum, { trace }, b) => sum + factors[b] * trace, 0));
    expect(estimate.minimumSharpness / mean(u)).toBeCloseTo(1, 5);
    expect(estimate.standardError / error(u)).toBeCloseTo(1, 4);
    expect((await measureSharpness(model, x)).standardError).toBe(0);
  });
});

it("leaves a layer's call hook alone, and does not fire it", async () => {
  // Flatten is run through tf.js, which fires the hook of the layers that have one.
  const other = tfl.sequential({
    layers: [
      layers.reshape({ targetShape: [5, 1], inputShape: [5] }),
      layers.dense({ units: 4 }),
      layers.flatten({ name: 'flat' }),
      layers.dense({ units: 3 }),
    ],
  });
  let calls = 0;
  other.getLayer('flat').setCallHook(() => {
    calls++;
  });
  await measureSharpness(other, x, { loss: 'softmaxCrossEntropy' });
  expect(calls).toBe(0);
  tf.dispose(other.predict(x));
  expect(calls).toBe(1);
  other.dispose();
});

describe('what a reading says of itself', () => {
  it('counts samples and pairs, adds up the trace, and is exact without remarks for a ReLU network', async () => {
    const reading = await measureSharpness(model, x);
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

describe('a network without free scales', () => {
  it('has its trace for Minimum Sharpness, and says so', async () => {
    const other = tfl.sequential({ layers: [layers.dense({ units: 3, inputShape: [5] })] });
    const reading = await measureSharpness(other, x, { loss: 'softmaxCrossEntropy' });
    expect(reading.minimumSharpness / reading.trace).toBeCloseTo(1, 12);
    expect(reading.scales).toEqual([]);
    expect(reading.assumptions).toEqual([expect.stringMatching(/^No layers can exchange scale/)]);
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
