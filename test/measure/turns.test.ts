import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureMethod } from '../../src/measure/options.js';
import { isSynchronous } from '../../src/tfjs/backend.js';

/** A clock on which every look takes longer than the event loop may wait. */
let now = 0;
let turns = 0;
beforeEach(() => {
  vi.spyOn(console, 'info').mockImplementation(() => {});
  vi.spyOn(performance, 'now').mockImplementation(() => {
    now += 200;
    return now;
  });
  const next = globalThis.setImmediate;
  turns = 0;
  vi.stubGlobal('setImmediate', (run: () => void) => {
    turns++;
    return next(run);
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  tf.disposeVariables();
});

const methods: readonly MeasureMethod[] = ['exact', { pairs: 8 }, { hutchinson: 2 }];

/** @param last what the kernel of the last layer is multiplied by. */
function problem(last = 1) {
  const { conv2d, flatten, dense } = tfl.layers;
  const seeded = (seed: number) => ({ kernelInitializer: tfl.initializers.glorotUniform({ seed }) });
  const model = tfl.sequential({
    layers: [
      conv2d({ filters: 2, kernelSize: 3, activation: 'tanh', inputShape: [6, 6, 1], ...seeded(1) }),
      flatten(),
      dense({ units: 5, activation: 'tanh', ...seeded(2) }),
      dense({ units: 3, activation: 'softmax', ...seeded(3) }),
    ],
  });
  const weights = model.getWeights();
  tf.tidy(() => model.setWeights(weights.map((each, i) => (i === weights.length - 2 ? tf.mul(each, last) : each))));
  const x = tf.randomUniform([6, 6, 6, 1], -1, 1, 'float32', 4);
  const labels = tf.oneHot(
    tf.tensor1d(
      Array.from({ length: 6 }, (_, i) => i % 3),
      'int32',
    ),
    3,
  );
  const measure = (method: MeasureMethod, signal?: AbortSignal) =>
    measureSharpness(model, x, { loss: 'categoricalCrossentropy', method, labels, ...(signal && { signal }) });
  return { model, x, labels, measure };
}

it.each(methods)('has a turn between any two layers of a chunk, and the same digits: %j', async (method) => {
  const { model, x, labels, measure } = problem();
  await measure(method);
  turns = 0;
  const { minimumSharpness, pairs } = await measure(method);
  // All samples are one chunk, forward and backward.
  const passes = { exact: 1, pairs: 2, hutchinson: 1 }[typeof method === 'string' ? method : Object.keys(method)[0]!]!;
  expect(turns).toBeGreaterThan(isSynchronous() ? 2 * model.layers.length * passes : 0);
  vi.restoreAllMocks();
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  turns = 0;
  expect(await measure(method)).toMatchObject({ minimumSharpness, pairs });
  expect(turns).toBeLessThan(2);
  tf.dispose([x, labels]);
  model.dispose();
});

it.each(methods)('is ended at any turn, and leaves nothing behind: %j', async (method) => {
  const { model, x, labels, measure } = problem();
  const weights = () => model.getWeights().flatMap((each) => [...each.dataSync()]);
  const were = weights();
  await measure(method);
  turns = 0;
  await measure(method);
  const all = turns;
  const before = tf.memory().numTensors;
  for (let last = 1; last <= all; last += 4) {
    const controller = new AbortController();
    turns = 0;
    const next = globalThis.setImmediate;
    vi.stubGlobal('setImmediate', (run: () => void) => {
      if (turns === last - 1) {
        controller.abort(new Error('enough'));
      }
      return next(run);
    });
    await expect(measure(method, controller.signal)).rejects.toThrow('enough');
    vi.stubGlobal('setImmediate', next);
    expect(turns).toBe(last);
    expect(tf.memory().numTensors).toBe(before);
    expect(weights()).toEqual(were);
  }
  tf.dispose([x, labels]);
  model.dispose();
});

it.each<MeasureMethod>(['exact', { pairs: 8 }])(
  'has turns where a chunk is run again, in block floating point: %j',
  async (method) => {
    const turnsOf = async (last: number, endAt = Number.POSITIVE_INFINITY) => {
      const { model, x, labels, measure } = problem(last);
      await measure(method);
      const before = tf.memory().numTensors;
      const controller = new AbortController();
      turns = 0;
      const next = globalThis.setImmediate;
      vi.stubGlobal('setImmediate', (run: () => void) => {
        if (turns === endAt - 1) {
          controller.abort(new Error('enough'));
        }
        return next(run);
      });
      const ended = await measure(method, controller.signal).catch((error: Error) => error.message);
      vi.stubGlobal('setImmediate', next);
      expect(tf.memory().numTensors).toBe(before);
      tf.dispose([x, labels]);
      model.dispose();
      return { turns, ended };
    };
    const plain = (await turnsOf(1)).turns;
    // Squares of deltas behind this kernel are 0 in float32.
    const again = (await turnsOf(1e-24)).turns;
    expect(again - plain).toBeGreaterThan(isSynchronous() ? 15 : 0);
    for (let last = again - 16; last < again; last += 5) {
      expect(await turnsOf(1e-24, last)).toEqual({ turns: last, ended: 'enough' });
    }
  },
);

it('does not take weights back that were set in a turn', async () => {
  const { model, x, labels, measure } = problem();
  await measure({ hutchinson: 2 });
  turns = 0;
  await measure({ hutchinson: 2 });
  const next = globalThis.setImmediate;
  const others = [0.9, 1.1].map((factor) => model.getWeights().map((each) => tf.mul(each, factor)));
  const before = tf.memory().numTensors;
  // In the last two turns, behind the last probe, all has been computed.
  for (let at = 1, computed = turns - 2; at < computed; at += 7) {
    turns = 0;
    const weights = others[at % 2]!;
    vi.stubGlobal('setImmediate', (run: () => void) => {
      if (turns === at) {
        model.setWeights(weights);
      }
      return next(run);
    });
    await expect(measure({ hutchinson: 2 })).rejects.toThrow('was changed during the measurement');
    expect(model.getWeights().map((each) => [...each.dataSync()])).toEqual(weights.map((each) => [...each.dataSync()]));
    expect(tf.memory().numTensors).toBe(before);
  }
  tf.dispose([x, labels, others]);
  model.dispose();
});
