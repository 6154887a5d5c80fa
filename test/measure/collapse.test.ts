import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { measureSharpness } from '../../src/index.js';
import { isConstant, isSaturated } from '../../src/measure/collapse.js';
import type { Head } from '../../src/network/heads.js';
import type { Parameter } from '../../src/network/layers/operation.js';
import { outputHessians } from '../../src/network/output-hessian.js';

const headOf = (loss: keyof typeof outputHessians, lossWeight = 1) =>
  ({ hessian: outputHessians[loss], lossWeight }) as Head;

describe('isSaturated', () => {
  const one = [headOf('categoricalCrossentropy')];

  it('is a high loss without curvature', () => {
    expect(isSaturated(one, { value: 14, curvature: 1e-6 })).toBe(true);
    expect(isSaturated(one, { value: 3.95, curvature: 1.6e-4 })).toBe(true);
    expect(isSaturated(one, { value: 2.3, curvature: 0.9 })).toBe(false);
    expect(isSaturated(one, { value: 0.0025, curvature: 1.7e-4 })).toBe(false);
    expect(isSaturated(one, { value: 1e-7, curvature: 0 })).toBe(false);
  });

  it('goes by the weights of the outputs, and knows nothing of other losses', () => {
    expect(isSaturated([headOf('binaryCrossentropy', 0.01)], { value: 0.014, curvature: 0 })).toBe(true);
    expect(isSaturated([...one, headOf('meanSquaredError')], { value: 14, curvature: 0 })).toBe(undefined);
  });
});

describe('a reading', () => {
  const { layers, initializers } = tfl;
  const classes = Array.from({ length: 60 }, (_, n) => n % 3);
  const network = () =>
    tfl.sequential({
      layers: [
        layers.dense({
          units: 8,
          activation: 'relu',
          inputShape: [4],
          kernelInitializer: initializers.heNormal({ seed: 3 }),
        }),
        layers.dense({ units: 3, activation: 'softmax', kernelInitializer: initializers.glorotNormal({ seed: 4 }) }),
      ],
    });
  const samples = () =>
    tf.tidy(() => {
      const centers = tf.randomNormal([3, 4], 0, 2, 'float32', 1);
      return tf.add(tf.gather(centers, tf.tensor1d(classes, 'int32')), tf.randomNormal([60, 4], 0, 1, 'float32', 2));
    });
  const trained = async (learningRate: number, epochs: number) => {
    const [model, x] = [network(), samples()];
    const y = tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(classes, 'int32'), 3), 'float32'));
    model.compile({ optimizer: tf.train.sgd(learningRate), loss: 'categoricalCrossentropy' });
    await model.fit(x, y, { epochs, batchSize: 20, shuffle: false, verbose: 0 });
    const found = await Promise.all([
      measureSharpness(model, { xs: x, ys: y }),
      measureSharpness(model, { xs: x, ys: y }, { method: { pairs: 60 } }),
      measureSharpness(model, x),
    ]);
    tf.dispose([x, y]);
    model.dispose();
    return found;
  };

  it.each([1e3, 1e6])('of a network that SGD %d has driven apart says so', async (learningRate) => {
    const [exact, drawn, unlabelled] = await trained(learningRate, 2);
    for (const reading of [exact!, drawn!]) {
      expect(reading.collapsed).toBe(true);
      expect(reading.loss!).toBeGreaterThan(1);
      expect(
        reading.assumptions.filter((each) => /^The loss is high, and its curvature .* is gone/.test(each)),
      ).toHaveLength(1);
    }
    expect('collapsed' in unlabelled!).toBe(false);
  });

  it.each([
    [0.1, 1],
    [0.1, 40],
    [0.5, 40],
  ])('of one that SGD %d has trained for %d epochs does not', async (learningRate, epochs) => {
    for (const reading of (await trained(learningRate, epochs)).slice(0, 2)) {
      expect(reading.collapsed).toBe(false);
      expect(reading.assumptions.some((each) => /curvature in the outputs is gone/.test(each))).toBe(false);
    }
  });
});

describe('a network whose units are dead', () => {
  it('has the same outputs for all samples, and says so', async () => {
    const { layers } = tfl;
    const model = tfl.sequential({
      layers: [
        layers.dense({ units: 5, activation: 'relu', inputShape: [4], name: 'dead' }),
        layers.dense({ units: 3, activation: 'softmax', name: 'last' }),
      ],
    });
    const x = tf.randomUniform([20, 4], 0, 1, 'float32', 1);
    const alive = await measureSharpness(model, x, { loss: 'categoricalCrossentropy' });
    expect('collapsed' in alive).toBe(false);
    const [kernel, bias, ...others] = model.getWeights();
    model.setWeights([kernel!, tf.fill(bias!.shape, -100), ...others]);
    for (const method of ['exact', { pairs: 10 }] as const) {
      const dead = await measureSharpness(model, x, { loss: 'categoricalCrossentropy', method });
      expect(dead.collapsed).toBe(true);
      expect(dead.assumptions.filter((each) => /^No weight but biases has a trace/.test(each))).toHaveLength(1);
    }
    x.dispose();
    model.dispose();
  });

  it('is told by traces', () => {
    const [kernel, bias] = ['kernel', 'bias'].map((role) => ({ role }) as Parameter);
    expect(isConstant([kernel!, bias!], [0, 1])).toBe(true);
    expect(isConstant([kernel!, bias!], [1e-30, 1])).toBe(false);
    expect(isConstant([kernel!, bias!], [0, 0])).toBe(false);
    expect(isConstant([bias!], [1])).toBe(false);
  });
});
