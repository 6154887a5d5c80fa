import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { type LossName, measureSharpness } from '../../src/index.js';

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
