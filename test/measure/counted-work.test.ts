import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureMethod } from '../../src/measure/options.js';
import { isNative } from '../../src/tfjs/backend.js';
import { minimumSharpness } from '../../src/training/minimum-sharpness.js';
import { longestWait, type WorkClock, workClock } from './work-clock.js';

/*
 * What readings cost, and how long they keep the event loop, by the work that is counted: the same in every run.
 */

let clock: WorkClock | undefined;
beforeEach(() => {
  vi.spyOn(console, 'info').mockImplementation(() => {});
});
afterEach(() => {
  clock?.stop();
  clock = undefined;
  vi.restoreAllMocks();
  tf.disposeVariables();
});

const [STEPS, WORDS, UNITS] = [8, 12, 16];
const seeded = (seed: number) => ({
  kernelInitializer: tfl.initializers.glorotUniform({ seed }),
  recurrentInitializer: tfl.initializers.glorotUniform({ seed: seed + 100 }),
});

/** Two recurrent layers, of which the second takes the states that the first ends with. */
function encoderAndDecoder(samples: number) {
  const words = (seed: number) =>
    tf.tidy(() => tf.oneHot(tf.randomUniform([samples, STEPS], 0, WORDS, 'int32', seed), WORDS, 1, 0, 'float32'));
  const [source, target] = [tfl.input({ shape: [STEPS, WORDS] }), tfl.input({ shape: [STEPS, WORDS] })];
  const encoder = tfl.layers.lstm({ units: UNITS, returnState: true, ...seeded(1) });
  const [, h, c] = encoder.apply(source) as tfl.SymbolicTensor[];
  const decoder = tfl.layers.lstm({ units: UNITS, returnSequences: true, ...seeded(2) });
  const decoded = decoder.apply(target, { initialState: [h!, c!] } as never) as tfl.SymbolicTensor;
  const { kernelInitializer } = seeded(3);
  const head = tfl.layers.dense({ units: WORDS, activation: 'softmax', kernelInitializer });
  const model = tfl.model({ inputs: [source, target], outputs: head.apply(decoded) as tfl.SymbolicTensor });
  model.compile({ optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy' });
  const [xs, ys] = [[words(1), words(2)], words(3)];
  return { model, xs, ys, dispose: () => tf.dispose([xs, ys]) };
}

it('an epoch of an encoder and a decoder with a reading takes at most five times as much as without', async () => {
  const { model, xs, ys, dispose } = encoderAndDecoder(256);
  const epoch = async (callbacks: tfl.Callback[]) => {
    clock = await workClock();
    await model.fit(xs, ys, { batchSize: 32, verbose: 0, shuffle: false, callbacks });
    clock.stop();
    return clock.ms;
  };
  const plain = await epoch([]);
  const callback = minimumSharpness({ data: xs, method: { tolerance: 0.02 } });
  const measured = await epoch([callback]);
  expect(callback.latest?.reliable).toBe(true);
  expect(measured).toBeGreaterThan(plain);
  expect(measured).toBeLessThan(5 * plain);
  callback.dispose();
  dispose();
});

const methods: readonly [MeasureMethod, number][] = [
  // Enough for some turns.
  ['exact', isNative() ? 96 : 16],
  [{ tolerance: 0.05 }, 96],
  [{ hutchinson: 2 }, 6],
];

it.each(methods)(
  'the event loop waits for its turn no longer than 0.2 s, and nothing is computed once a reading is aborted: %j',
  async (method, samples) => {
    const { model, xs, ys: labels, dispose } = encoderAndDecoder(samples);
    const measure = (signal?: AbortSignal) =>
      measureSharpness(model, xs, { method, labels, ...(signal && { signal }) });
    const before = tf.memory().numTensors;
    clock = await workClock();
    await measure();
    const { turns } = clock;
    expect(turns.length).toBeGreaterThan(1);
    expect(longestWait(clock)).toBeLessThan(200);
    clock.stop();
    // Later readings have no trial, and fewer turns.
    for (const last of turns.length > 6 ? [1, 2, Math.floor(turns.length / 3)] : [1]) {
      const controller = new AbortController();
      clock = await workClock();
      clock.onTurn = (turn) => {
        if (turn === last) {
          controller.abort(new Error('enough'));
        }
      };
      await expect(measure(controller.signal)).rejects.toThrow('enough');
      expect(clock.turns).toHaveLength(last);
      // Nothing has been computed since.
      expect(clock.ms).toBe(clock.turns.at(-1));
      clock.stop();
    }
    expect(tf.memory().numTensors).toBe(before);
    dispose();
  },
);
