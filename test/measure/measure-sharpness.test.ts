import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { estimateSharpness, measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';
import type { SharpnessReading } from '../../src/measure/reading.js';
import { classifier, freshClassifier, model, numbers, x } from './small-classifier.js';

const { layers } = tfl;

freshClassifier();

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
    // Of classes it is not taken for granted.
    const beyondRows = ({ assumptions, ...reading }: SharpnessReading) =>
      numbers({ ...reading, assumptions: assumptions.filter((each) => !each.startsWith('Every row of targets')) });
    const given = beyondRows(await measureSharpness(compiled, x, { loss: expected }));
    expect(beyondRows(await measureSharpness(compiled, x))).toEqual(given);
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
