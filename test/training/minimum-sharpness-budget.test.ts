import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { estimateSharpness, measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { SharpnessReading } from '../../src/measure/reading.js';
import type { MinimumSharpnessOptions } from '../../src/training/callback-options.js';
import { MinimumSharpnessCallback } from '../../src/training/minimum-sharpness.js';
import type { Problem } from '../../src/training/problems.js';
import type { Measuring } from '../../src/training/sharpness-reader.js';

/** The clock that everybody reads: it moves when a batch has been trained on and while a reading is taken. */
let time = 0;
const batchMs = 10;

/** Readings of some cost, in chunks of 1 ms. */
function costing(cost: (n: number) => number): Measuring & { readonly kinds: string[] } {
  const kinds: string[] = [];
  const measure =
    (kind: string): typeof measureSharpness =>
    async (_model, _inputs, options) => {
      kinds.push(kind);
      const whole = cost(kinds.length);
      for (let passed = 0; passed < whole; passed++) {
        time++;
        options?.onProgress?.({ samples: passed, total: whole, rows: passed, totalRows: whole, timeLeftMs: undefined });
        options?.signal?.throwIfAborted();
      }
      return { minimumSharpness: kinds.length } as SharpnessReading;
    };
  return { kinds, whole: measure('whole'), minibatch: measure('minibatch') };
}

describe('every: { overhead }', () => {
  let model: tfl.Sequential;
  let x: tf.Tensor;
  let y: tf.Tensor;
  let before: number;

  beforeEach(() => {
    time = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => time);
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    vi.spyOn(console, 'info').mockImplementation(() => {});
    model = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, activation: 'softmax', inputShape: [2] })] });
    model.compile({ loss: 'categoricalCrossentropy', optimizer: 'sgd' });
    x = tf.ones([8, 2]);
    y = tf.ones([8, 2]);
    before = tf.memory().numTensors;
  });
  afterEach(() => {
    vi.restoreAllMocks();
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([x, y]);
    model.dispose();
  });

  /** Trains 8 batches of 10 ms an epoch. */
  async function train(options: MinimumSharpnessOptions, measuring: Measuring, epochs: number) {
    const callback = new MinimumSharpnessCallback(options, measuring);
    const problems: Problem[] = [];
    const readings: SharpnessReading[] = [];
    callback.problems$.subscribe((problem) => problems.push(problem));
    callback.readings$.subscribe((reading) => readings.push(reading));
    const training = new tfl.CustomCallback({
      onBatchBegin: async () => {
        time += batchMs;
      },
    });
    const history = await model.fit(x, y, { epochs, batchSize: 1, verbose: 0, callbacks: [callback, training] });
    callback.dispose();
    return { problems, readings, history, training: epochs * 8 * batchMs };
  }

  it('takes readings as often as its share of the time allows', async () => {
    const measuring = costing(() => 6);
    const { readings, training, problems } = await train({ data: x, every: { overhead: 0.1 } }, measuring, 20);
    const share = (time - training) / training;
    expect(share).toBeLessThanOrEqual(0.1 + 1e-9);
    expect(share).toBeGreaterThan(0.08);
    expect(readings.length).toBeGreaterThan(20);
    // At first there was no time for one.
    expect(problems[0]).toMatchObject({ kind: 'skipped', message: expect.stringMatching(/^no reading in this epoch/) });
    const warnings = vi.mocked(console.warn).mock.calls.filter(([line]) => `${line}`.includes('tfjs-sharpness'));
    expect(warnings).toEqual([]);
  });

  it('gives up a reading that is far dearer than there is time for, and says so', async () => {
    const { problems, readings } = await train(
      { data: x, every: { overhead: 0.1 } },
      costing(() => 200),
      10,
    );
    expect(readings).toHaveLength(0);
    const after = problems.flatMap(({ message }) => /given up after (\d+) ms/.exec(message)?.[1] ?? []);
    expect(after.length).toBeGreaterThan(0);
    // The first samples tell what all of them would take.
    for (const ms of after) {
      expect(Number(ms)).toBeLessThanOrEqual(3);
    }
  });

  it('tries a reading that fails once an epoch', async () => {
    const failing = async () => {
      throw new Error('broken');
    };
    const { problems } = await train({ data: x, every: { overhead: 1 } }, { whole: failing, minibatch: failing }, 5);
    const failed = problems.filter(({ kind }) => kind === 'failed');
    expect(failed.map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3, 4]);
    expect(problems).toHaveLength(5);
  });

  it('says why an epoch has no reading, and carries the latest one forward', async () => {
    const { problems, readings, history, training } = await train(
      { data: x, every: { overhead: 0.05 } },
      costing(() => 40),
      40,
    );
    expect((time - training) / training).toBeLessThanOrEqual(0.06);
    expect(readings.length).toBeGreaterThan(0);
    const without = problems.filter(({ message }) => message.startsWith('no reading in this epoch'));
    expect(without.length).toBeGreaterThan(10);
    expect(without.at(-1)!.message).toMatch(/readings may take \d+ ms now, and the next takes about \d+ ms/);
    expect(history.history.minimumSharpness).toHaveLength(40);
  });

  it('follows costs that rise, and those that fall', async () => {
    for (const cost of [(n: number) => (n > 10 ? 30 : 3), (n: number) => (n > 10 ? 3 : 30)]) {
      time = 0;
      const { training, readings } = await train({ data: x, every: { overhead: 0.2 } }, costing(cost), 60);
      const share = (time - training) / training;
      expect(share).toBeLessThanOrEqual(0.21);
      expect(share).toBeGreaterThan(0.15);
      expect(readings.length).toBeGreaterThan(20);
    }
  });

  it('measures minibatches where no data is given, and goes on in another fit', async () => {
    const measuring = costing(() => 1);
    const callback = new MinimumSharpnessCallback({ every: { overhead: 0.5 } }, measuring);
    const training = new tfl.CustomCallback({
      onBatchBegin: async () => {
        time += batchMs;
      },
    });
    for (let fit = 0; fit < 2; fit++) {
      await model.fit(x, y, { epochs: 2, batchSize: 2, verbose: 0, callbacks: [callback, training] });
      time += 1e6; // what passes between two fits pays for nothing
    }
    expect(new Set(measuring.kinds)).toEqual(new Set(['minibatch']));
    // 16 batches: one reading each.
    expect(measuring.kinds.length).toBeLessThanOrEqual(16);
    expect(measuring.kinds.length).toBeGreaterThan(8);
    callback.dispose();
  });

  it('works with real readings', async () => {
    vi.mocked(performance.now).mockRestore();
    const real = { whole: measureSharpness, minibatch: estimateSharpness };
    const { readings } = await train({ data: x, every: { overhead: 1 } }, real, 60);
    expect(readings.length).toBeGreaterThan(0);
    expect(readings[0]!.minimumSharpness).toBeGreaterThan(0);
  });
});
