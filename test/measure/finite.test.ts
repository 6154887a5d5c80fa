import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it, vi } from 'vitest';
import { checkFiniteInputs, checkFiniteWeights } from '../../src/measure/finite.js';
import { thisInstant } from '../../src/measure/instant.js';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';

it('looks at a weight again when it was assigned to, and at every new input', async () => {
  const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 3, inputShape: [4] })] });
  const x = tf.randomNormal([5, 4]);
  const measure = (inputs: tf.Tensor) => measureSharpness(model, inputs, { loss: 'softmaxCrossEntropy' });
  await measure(x);
  const { result, kernels } = await tf.profile(async () => {
    await measure(x);
    return tf.scalar(0);
  });
  // What is known is not summed again: no sum of all elements is left.
  expect(kernels.filter(({ name, outputShapes }) => name === 'Sum' && outputShapes[0]!.length === 0)).toEqual([]);
  const broken = tf.tidy(() => tf.where(tf.greater(x, 0), x, Number.NaN));
  await expect(measure(broken)).rejects.toThrow(/^Input '.*' has a NaN/);
  await expect(measure(broken)).rejects.toThrow(/^Input '.*' has a NaN/);
  const [kernel, bias] = model.getWeights();
  tf.tidy(() => model.setWeights([tf.mul(kernel!, Number.POSITIVE_INFINITY), bias!]));
  await expect(measure(x)).rejects.toThrow(/^Weight '.*kernel' has a NaN/);
  tf.dispose([x, broken, result]);
  model.dispose();
});

it('speaks of the values at the call: what comes meanwhile is neither known to be finite nor called diverged', async () => {
  const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 3, inputShape: [4] })] });
  const weights = model.weights;
  const set = (value: number) => tf.tidy(() => (weights[0]!.read() as tf.Variable).assign(tf.fill([4, 3], value)));
  const first = checkFiniteWeights(weights);
  set(Number.NaN);
  await first;
  await expect(checkFiniteWeights(weights)).rejects.toThrow(/^Weight '.*kernel' has a NaN/);
  set(1);
  await checkFiniteWeights(weights);
  tf.tidy(() => (weights[1]!.read() as tf.Variable).assign(tf.ones([3])));
  const known = checkFiniteWeights(weights, thisInstant(weights));
  set(2);
  await known;
  set(Number.NaN);
  const broken = checkFiniteWeights(weights, thisInstant(weights));
  set(3);
  await expect(broken).rejects.toThrow(/was changed during the measurement/);
  model.dispose();
});

describe('a large input', () => {
  let now = 0;
  /** How many turns the event loop is given, on a clock on which every look takes longer than it may wait. */
  async function turnsOf(run: () => Promise<void>): Promise<number> {
    now = Math.max(now, performance.now());
    let turns = 0;
    const next = globalThis.setImmediate;
    vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 200;
      return now;
    });
    vi.stubGlobal('setImmediate', (then: () => void) => {
      turns++;
      return next(then);
    });
    try {
      await run();
    } finally {
      vi.unstubAllGlobals();
      vi.restoreAllMocks();
    }
    return turns;
  }
  const rows = 9;
  const large = (last: number) =>
    tf.tidy(() => tf.concat([tf.zeros([rows - 1, 2 ** 20]), tf.fill([1, 2 ** 20], last)]) as tf.Tensor);

  it('is looked at rows by rows, with turns in between, to its last one', async () => {
    const [finite, broken] = [large(1), large(Number.NaN)];
    const before = tf.memory().numTensors;
    expect(await turnsOf(() => checkFiniteInputs(['x'], [finite]))).toBeGreaterThan(1);
    expect(await turnsOf(() => checkFiniteInputs(['x'], [finite]))).toBe(0);
    await expect(checkFiniteInputs(['x'], [broken])).rejects.toThrow("Input 'x' has a NaN");
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([finite, broken]);
  });

  it('is let go at any of them', async () => {
    const x = large(1);
    const before = tf.memory().numTensors;
    const enough = async () => {
      throw new Error('enough');
    };
    await turnsOf(() => expect(checkFiniteInputs(['x'], [x], enough)).rejects.toThrow('enough'));
    const gone = async () => {
      x.dispose();
    };
    await turnsOf(() => expect(checkFiniteInputs(['x'], [x], gone)).rejects.toThrow("Input 'x'"));
    expect(tf.memory().numTensors).toBe(before - 1);
  });
});
