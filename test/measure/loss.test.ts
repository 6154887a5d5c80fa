import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { type LossName, measureSharpness, type NamedLoss } from '../../src/index.js';
import { lossNameOf } from '../../src/measure/loss.js';

const { layers } = tfl;
const inputShape = [2, 3, 2];

/** A 1 x 1 convolution, then these layers. */
function pixels(activation: 'softmax' | 'sigmoid' | 'linear', ...behind: tfl.layers.Layer[]): tfl.LayersModel {
  const kernelInitializer = tfl.initializers.glorotNormal({ seed: 1 });
  const model = tfl.sequential();
  model.add(layers.conv2d({ filters: 3, kernelSize: 1, activation, kernelInitializer, inputShape }));
  for (const layer of behind) {
    model.add(layer);
  }
  return model;
}

async function measured(model: tfl.LayersModel, loss: LossName) {
  const x = tf.randomNormal([4, ...inputShape], 0, 1, 'float32', 1);
  const { numTensors } = tf.memory();
  try {
    return await measureSharpness(model, x, { loss });
  } finally {
    expect(tf.memory().numTensors).toBe(numTensors);
    x.dispose();
    model.dispose();
  }
}

const rows = () => layers.reshape({ targetShape: [6, 3] });
const activation = (name: 'softmax' | 'sigmoid') => layers.activation({ activation: name });

describe('a reshape behind the last activation', () => {
  it.each([
    ['softmax', 'categoricalCrossentropy', 'reshape', () => [rows()]],
    ['softmax', 'categoricalCrossentropy', 'permute and reshape', () => [layers.permute({ dims: [2, 1, 3] }), rows()]],
    ['sigmoid', 'binaryCrossentropy', 'flatten', () => [layers.flatten()]],
  ] as const)('%s, %s: %s counts as if it stood before', async (name, loss, _what, behind) => {
    const after = await measured(pixels(name, ...behind()), loss);
    const before = await measured(pixels('linear', ...behind(), activation(name)), loss);
    expect(after.trace).toBeGreaterThan(0);
    expect(Math.abs(after.trace / before.trace - 1)).toBeLessThan(1e-6);
    expect(after.exact).toBe(true);
  });

  it.each([
    ['a flatten, which parts the classes', () => layers.flatten()],
    ['a permute that moves the classes', () => layers.permute({ dims: [3, 1, 2] })],
    ['a reshape that cuts the classes', () => layers.reshape({ targetShape: [3, 6] })],
  ])('is refused behind a softmax where it is %s', async (_what, behind) => {
    await expect(measured(pixels('softmax', behind()), 'categoricalCrossentropy')).rejects.toThrow(
      /^Loss 'categoricalCrossentropy' belongs to a model that ends in 'softmax', but this one ends in no activation/,
    );
  });

  it('does not hide that logits are no logits', async () => {
    await expect(measured(pixels('softmax', rows()), 'softmaxCrossEntropy')).rejects.toThrow(
      /expects logits, but the model ends in 'softmax'/,
    );
  });
});

describe('names of losses', () => {
  const x = () => tf.randomNormal([4, ...inputShape], 0, 1, 'float32', 1);
  const { losses } = tf;
  const { metrics } = tfl;

  it.each<[string, 'softmax' | 'sigmoid' | 'linear', LossName, NamedLoss[]]>([
    ['softmax', 'softmax', 'categoricalCrossentropy', ['categorical_crossentropy', metrics.categoricalCrossentropy]],
    ['classes', 'softmax', 'sparseCategoricalCrossentropy', ['sparse_categorical_crossentropy']],
    ['sigmoid', 'sigmoid', 'binaryCrossentropy', ['binary_crossentropy', metrics.binaryCrossentropy]],
    [
      'squares',
      'linear',
      'meanSquaredError',
      ['mean_squared_error', 'mse', 'MSE', losses.meanSquaredError, metrics.meanSquaredError, metrics.MSE, metrics.mse],
    ],
    ['logits', 'linear', 'softmaxCrossEntropy', [losses.softmaxCrossEntropy]],
    ['flags', 'linear', 'sigmoidCrossEntropy', [losses.sigmoidCrossEntropy]],
  ])("are Keras' too, and the functions: %s", async (_, activation, name, others) => {
    const inputs = x();
    const model = pixels(activation);
    const expected = await measureSharpness(model, inputs, { loss: name });
    const { name: output } = model.layers[0]!;
    for (const other of others) {
      expect(lossNameOf(other)).toBe(name);
      for (const loss of [other, [other], { [output]: other }]) {
        const { minimumSharpness, assumptions } = await measureSharpness(model, inputs, { loss });
        expect(minimumSharpness).toBe(expected.minimumSharpness);
        expect(assumptions).toEqual(expected.assumptions);
      }
    }
    inputs.dispose();
    model.dispose();
  });

  it.each<[unknown, RegExp]>([
    [() => tf.scalar(0), /^loss: a function of your own\. .* pass its name: 'categorical/],
    [losses.computeWeightedLoss, /^loss: tf\.losses\.computeWeightedLoss, which weighs losses and is none/],
    ['crps', /^loss: 'crps' is not known\. Pass one of 'categoricalCrossentropy'/],
    [{ loss: 'mse', factor: 0 }, /^loss: factor must be .*above 0/],
    [{ loss: 'crps', factor: 2 }, /^loss: 'crps' is not known/],
    [{ loss: 'mse', factor: 2, delta: 1 }, /delta/],
    ['toString', /^loss: 'toString' is not known/],
    [null, /^loss: null is not known/],
  ])('are refused in one line where the curvature is not known: %s', async (loss, message) => {
    const inputs = x();
    const model = pixels('linear');
    await expect(measureSharpness(model, inputs, { loss: loss as LossName })).rejects.toThrow(message);
    expect(lossNameOf(loss)).toBeUndefined();
    inputs.dispose();
    model.dispose();
  });
});
