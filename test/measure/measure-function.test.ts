import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import {
  checkFunctionOfVariables,
  isFunctionOfVariables,
  measureFunctionSharpness,
} from '../../src/measure/measure-function.js';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { setGoldenWeights } from './golden-network.js';

const { layers } = tfl;
const loss = 'softmaxCrossEntropy';

/** The same network as a model and as a function of variables. */
function twins() {
  const model = tfl.sequential({
    layers: [
      layers.dense({ units: 5, activation: 'relu', inputShape: [4] }),
      layers.dense({ units: 4, activation: 'relu', useBias: false }),
      layers.dense({ units: 3 }),
    ],
  });
  setGoldenWeights(model, 9);
  const variables = model.getWeights().map((w) => tf.variable(w));
  const [w1, b1, w2, w3, b3] = variables as [tf.Variable, ...tf.Variable[]];
  const f = (x: tf.Tensor) => {
    const first = tf.relu(tf.add(tf.matMul(x as tf.Tensor2D, w1 as tf.Tensor2D), b1!));
    return tf.add(tf.matMul(tf.relu(tf.matMul(first as tf.Tensor2D, w2 as tf.Tensor2D)), w3 as tf.Tensor2D), b3!);
  };
  const blocks = {
    w1: { variable: w1, to: 'first' },
    b1: { variable: b1!, role: 'bias', to: 'first' },
    w2: { variable: w2!, from: 'first', to: 'second' },
    w3: { variable: w3!, from: 'second' },
    b3: { variable: b3!, role: 'bias' },
  } as const;
  const x = tf.randomUniform([6, 4], -1, 1, 'float32', 7);
  return { model, variables, f, blocks, x, dispose: () => tf.dispose([x, ...variables]) };
}

describe('measureFunctionSharpness', () => {
  it('agrees with the same network as a model, traces and Minimum Sharpness', async () => {
    const { model, f, blocks, x, variables, dispose } = twins();
    const expected = await measureSharpness(model, x, { loss });
    const before = tf.memory().numTensors;
    const reading = await measureFunctionSharpness(f, blocks, x, { loss });
    const plain = await measureFunctionSharpness(f, variables, x, { loss });
    const one = { iterator: async () => ({ next: nextOf([{ xs: tf.slice(x, 0, 2) }, tf.slice(x, 2, 4)]) }) };
    const streamed = await measureFunctionSharpness(f, blocks, one, { loss });
    expect(tf.memory().numTensors).toBe(before);
    reading.parameters.forEach(({ name, trace }, i) => {
      expect(name).toBe(Object.keys(blocks)[i]);
      expect(trace / expected.parameters[i]!.trace).toBeCloseTo(1, 5);
    });
    expect(reading.minimumSharpness / expected.minimumSharpness).toBeCloseTo(1, 5);
    expect(streamed.minimumSharpness / expected.minimumSharpness).toBeCloseTo(1, 5);
    expect(reading.scales.map(({ layer }) => layer)).toEqual(['w1', 'w2', 'w3']);
    reading.scales.forEach(({ alpha }, i) => {
      expect(alpha / expected.scales[i]!.alpha).toBeCloseTo(1, 4);
    });
    expect(reading.exact).toBe(false);
    expect(reading.assumptions.join(' ')).toMatch(/taken on trust/);
    expect(plain.minimumSharpness).toBe(plain.trace);
    expect(plain.trace / expected.trace).toBeCloseTo(1, 5);
    expect(plain.assumptions.join(' ')).toMatch(/No scales are named/);
    dispose();
  });

  it('takes several inputs, outputs with positions, weights of samples and sampled pairs', async () => {
    const w = tf.variable(tf.randomUniform([3, 4], -1, 1, 'float32', 1));
    const f = (a: tf.Tensor, b: tf.Tensor) =>
      tf.reshape(tf.matMul(tf.reshape(tf.add(a, b), [-1, 3]), w as tf.Tensor2D), [a.shape[0], 2, 4]);
    const [a, b] = [2, 3].map((seed) => tf.randomUniform([5, 2, 3], -1, 1, 'float32', seed)) as [tf.Tensor, tf.Tensor];
    const model = tfl.sequential({ layers: [layers.dense({ units: 4, inputShape: [2, 3], useBias: false })] });
    model.setWeights([w]);
    const sum = tf.add(a, b);
    const sampleWeight = [1, 2, 0.5, 0, 3];
    const expected = await measureSharpness(model, sum, { loss, sampleWeight });
    const reading = await measureFunctionSharpness(f, [w], [a, b], { loss, sampleWeight });
    expect(reading.trace / expected.trace).toBeCloseTo(1, 5);
    expect(reading.pairs).toBe(5 * 2 * 3);
    const sampled = await measureFunctionSharpness(f, { w: { variable: w } }, [a, b], { loss, method: { pairs: 20 } });
    expect(sampled.pairs).toBe(20);
    expect(sampled.standardError).toBeGreaterThan(0);
    const whole = await measureFunctionSharpness(f, [w], [a, b], { loss });
    expect(Math.abs(sampled.trace - whole.trace)).toBeLessThan(4 * sampled.standardError);
    expect(sampled.standardError).toBeLessThan(0.2 * whole.trace);
    tf.dispose([w, a, b, sum]);
  });

  it('says in one line what is wrong', async () => {
    const { f, blocks, variables, x, dispose } = twins();
    const refused = (...args: unknown[]) =>
      (measureFunctionSharpness as (...all: unknown[]) => Promise<unknown>)(...args).catch(
        (error: Error) => error.message,
      );
    expect(await refused(3, variables, x, { loss })).toMatch(/must be a function/);
    expect(await refused(f, variables, x, {})).toMatch(/pass loss/);
    expect(await refused(f, [], x, { loss })).toMatch(/No variables/);
    expect(await refused(f, [x], x, { loss })).toMatch(/'0' is not a tf.Variable/);
    const [first] = variables;
    expect(await refused(f, [first, first], x, { loss })).toMatch(/^Blocks '.*' and '.*' are the same tf.Variable/);
    expect(await refused(f, { p: { variable: first }, q: { variable: first } }, x, { loss })).toMatch(
      /^Blocks 'p' and 'q' are the same tf.Variable: name it once\.$/,
    );
    const whole = tf.variable(tf.tensor1d([1, 2], 'int32'));
    expect(await refused(f, [whole], x, { loss })).toMatch(/has dtype 'int32', which no training moves/);
    whole.dispose();
    expect(await refused(f, [whole], x, { loss })).toMatch(/is a disposed variable: keep it/);
    expect(await refused(f, { b: { ...blocks.b1, role: 'beta' } }, x, { loss })).toMatch(/role is 'beta'/);
    expect(await refused(f, { b: { ...blocks.b1, from: 'first' } }, x, { loss })).toMatch(/bias, which has no from/);
    expect(await refused(f, variables, 3, { loss })).toMatch(/inputs must be a tensor/);
    expect(await refused(f, variables, x, { loss: 'categoricalCrossentropy' })).toMatch(
      /pass loss: 'softmaxCrossEntropy'/,
    );
    expect(await refused(() => 3, variables, x, { loss })).toMatch(/returned a number, not a tensor/);
    dispose();
  });
});

function nextOf(items: unknown[]) {
  return async () => (items.length > 0 ? { value: items.shift(), done: false } : { value: null, done: true }) as never;
}

it('a function with its variables is told from a model, and checked before there are inputs', () => {
  const { model, variables, f, blocks, x } = twins();
  expect([{ function: f, blocks }, { blocks }, model, x, null, f].map(isFunctionOfVariables)).toEqual(
    [1, 1, 0, 0, 0, 0].map(Boolean),
  );
  const check = (...given: unknown[]) => checkFunctionOfVariables(...(given as [never, never]));
  check({ function: f, blocks }, { loss });
  check({ function: f, blocks: variables }, { loss });
  expect(() => check({ function: f, blocks, inputs: x }, { loss })).toThrow(
    /^\{ function, blocks \}: there is no option 'inputs'/,
  );
  expect(() => check({ function: f, blocks }, { loss, method: { hutchinson: 3 } })).toThrow(/is for models/);
  model.dispose();
  tf.dispose([variables, x]);
});
