import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, expect, test } from 'vitest';
import { registerBuiltInLayers } from '../../src/files/built-in-layers.js';
import { activationInTfjs, activations } from '../../src/files/keras-activations.js';
import { measureSharpness } from '../../src/index.js';
import { autodiffTraces } from '../brute-force/autodiff-traces.js';

beforeAll(registerBuiltInLayers);

type Name = NonNullable<Parameters<typeof tfl.layers.activation>[0]>['activation'];
const inTfjs = (name: string) => activationInTfjs(name, true) as Name;

/** What Keras 3 gives for -4, -3, -2, -1, 0, 1, 2, 3, 4 and 0.5, in sixths, but for the last. */
const values: Readonly<Record<string, readonly number[]>> = {
  hard_sigmoid: [0, 0, 1, 2, 3, 4, 5, 6, 6, 3.5],
  hard_silu: [0, 0, -2, -2, 0, 4, 10, 18, 24, 1.75],
  hard_swish: [0, 0, -2, -2, 0, 4, 10, 18, 24, 1.75],
};

test.each(Object.keys(values))('%s has the values of Keras 3', (name) => {
  tf.tidy(() => {
    const x = tf.tensor1d([-4, -3, -2, -1, 0, 1, 2, 3, 4, 0.5]);
    const y = tfl.layers.activation({ activation: inTfjs(name) }).apply(x) as tf.Tensor;
    y.dataSync().forEach((value, i) => void expect(6 * value).toBeCloseTo(values[name]![i]!, 5));
  });
});

test('names', () => {
  expect(['silu', 'hard_sigmoid', 'relu', 'constructor'].map((name) => activationInTfjs(name, false))).toEqual([
    'swish',
    'hard_sigmoid',
    'relu',
    'constructor',
  ]);
  expect(activations.map(({ className }) => className).sort()).toEqual(['hardSigmoidOfKeras3', 'hardSilu']);
});

test.each([
  ['hard_sigmoid', true],
  ['hard_silu', false],
])('networks with %s have the traces that tf.js gradients give', async (name, isPiecewiseLinear) => {
  const dense = (units: number, seed: number, more: object) =>
    tfl.layers.dense({ units, kernelInitializer: tfl.initializers.randomNormal({ stddev: 1, seed }), ...more });
  const model = tfl.sequential({
    layers: [
      dense(4, 1, { activation: inTfjs(name), inputShape: [3] }),
      dense(3, 2, {}),
      tfl.layers.activation({ activation: inTfjs(name) }),
    ],
  });
  const loss = 'meanSquaredError';
  const x = tf.randomNormal([6, 3], 0, 2, 'float32', 3);
  const expected = await autodiffTraces(model, [{ loss }], [x]);
  const reading = await measureSharpness(model, x, { loss });
  expect(reading.exact).toBe(isPiecewiseLinear);
  expect(reading.parameters).toHaveLength(4);
  for (const { name: weight, trace } of reading.parameters) {
    expect(expected.get(weight)).toBeGreaterThan(1e-3);
    expect(trace / expected.get(weight)!).toBeCloseTo(1, 4);
  }
  expect(reading.assumptions.join(' ')).not.toContain('not known');
  x.dispose();
  model.dispose();
});

test('a recurrent layer opens its gates by them', async () => {
  const lstm = (recurrentActivation: Name) =>
    tfl.sequential({
      layers: [
        tfl.layers.lstm({
          units: 2,
          recurrentActivation,
          kernelInitializer: tfl.initializers.glorotNormal({ seed: 1 }),
          recurrentInitializer: tfl.initializers.glorotNormal({ seed: 2 }),
          inputShape: [4, 2],
        }),
        tfl.layers.dense({ units: 2, kernelInitializer: tfl.initializers.glorotNormal({ seed: 3 }) }),
      ],
    });
  const model = lstm(inTfjs('hard_sigmoid'));
  const loss = 'meanSquaredError';
  const x = tf.randomNormal([3, 4, 2], 0, 2, 'float32', 3);
  const expected = await autodiffTraces(model, [{ loss }], [x]);
  const { parameters } = await measureSharpness(model, x, { loss });
  for (const { name: weight, trace } of parameters) {
    expect(trace / expected.get(weight)!).toBeCloseTo(1, 4);
  }
  x.dispose();
  model.dispose();
});
