import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import type { MinimumSharpnessOptions } from '../../src/training/callback-options.js';
import { minimumSharpness } from '../../src/training/minimum-sharpness.js';
import { earlyStopping } from '../../src/training/stopping/early-stopping.js';

describe('what minimumSharpness says in the terminal', () => {
  let warn: MockInstance<typeof console.warn>;
  let log: MockInstance<typeof console.log>;
  let x: tf.Tensor2D;
  let y: tf.Tensor2D;
  let model: tfl.Sequential;
  beforeEach(() => {
    warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    log = vi.spyOn(console, 'log').mockImplementation(() => {});
    vi.spyOn(console, 'info').mockImplementation(() => {});
    x = tf.randomNormal([8, 2], 0, 1, 'float32', 1);
    y = tf.tensor2d(Array.from({ length: 8 }, (_, i) => (i % 3 === 0 ? [1, 0] : [0, 1])));
    model = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, activation: 'softmax', inputShape: [2] })] });
    model.compile({ loss: 'categoricalCrossentropy', optimizer: 'sgd', metrics: ['accuracy'] });
  });
  afterEach(() => {
    vi.restoreAllMocks();
    model.dispose();
    tf.dispose([x, y]);
  });
  const train = async (options: MinimumSharpnessOptions, epochs: number, more: tfl.Callback[] = []) => {
    const sharpness = minimumSharpness({ data: x, ...options });
    const { history } = await model.fit(x, y, { epochs, batchSize: 4, verbose: 0, callbacks: [sharpness, ...more] });
    sharpness.dispose();
    return history as Record<string, number[]>;
  };
  const warnings = () => warn.mock.calls.map(([line]) => `${line}`).filter((line) => line.startsWith('tfjs-sharpness'));

  it('with verbose, a line an epoch, beside the numbers of the history', async () => {
    const { loss, acc, minimumSharpness: values } = await train({ verbose: 1, every: { epochs: 2 } }, 3);
    const short = (value: number) => String(Number(value.toPrecision(4)));
    const of = (i: number) =>
      `loss ${short(loss![i]!)}, acc ${short(acc![i]!)}, minimumSharpness ${short(values![i]!)}`;
    expect(log.mock.calls.map(([line]) => line)).toEqual([
      `Epoch 1: ${of(0)} (no reading in this epoch)`,
      `Epoch 2: ${of(1)}`,
      `Epoch 3: ${of(2)} (no reading in this epoch)`,
    ]);
  });

  it('nothing by default', async () => {
    await train({}, 2);
    expect(log).not.toHaveBeenCalled();
    expect(warnings()).toEqual([]);
  });

  it('that there was no time for a reading, in the first fit without one', async () => {
    const stopping = earlyStopping({ monitor: 'minimumSharpness', patience: 3 });
    const history = await train({ every: { overhead: 0.01 } }, 8, [stopping]);
    expect(history.minimumSharpness).toHaveLength(8);
    expect(history.minimumSharpness!.every(Number.isNaN)).toBe(true);
    expect(warnings()).toEqual([
      'tfjs-sharpness, minimumSharpness: no reading was taken in 16 batches and 8 epochs: there was no time for one, ' +
        'every: { overhead: 0.01 }.',
    ]);
  });

  it('that none was due', async () => {
    await train({ every: { epochs: 5 }, initialStep: 100 }, 3);
    expect(warnings()).toEqual([
      'tfjs-sharpness, minimumSharpness: no reading was taken in 6 batches and 3 epochs: none was due.',
    ]);
  });

  it('that none was due, once for many fits, of batches that it was told of; and what is wrong with data once', async () => {
    const sharpness = minimumSharpness({ data: x, every: { epochs: 5 } });
    const failed: string[] = [];
    sharpness.problems$.subscribe(({ message }) => failed.push(message));
    const wrong = minimumSharpness({ data: tf.zeros([3, 5]), every: { epochs: 5 }, name: 'wrong' });
    wrong.problems$.subscribe(({ message }) => failed.push(message));
    for (let epoch = 4; epoch < 7; epoch++) {
      const callbacks = [sharpness, wrong];
      await model.fit(x, y, { initialEpoch: epoch, epochs: epoch + 1, batchSize: 4, verbose: 0, callbacks });
    }
    expect(failed).toEqual([expect.stringMatching(/has shape \[3, 5\]/)]);
    expect(warnings().filter((line) => line.includes('no reading'))).toEqual([
      'tfjs-sharpness, minimumSharpness: no reading was taken in 2 batches and 1 epochs: none was due.',
    ]);
    sharpness.dispose();
    wrong.dispose();
  });

  it('nothing more where a reading failed, which was said', async () => {
    const gone = tf.clone(x);
    gone.dispose();
    await train({ data: gone }, 2);
    expect(warnings()).toHaveLength(1);
  });
});
