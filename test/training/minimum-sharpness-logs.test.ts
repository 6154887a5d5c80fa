import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { filter, firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { minimumSharpness } from '../../src/training/minimum-sharpness.js';
import type { Problem } from '../../src/training/problems.js';
import { type EpochLogs, withEpochLogs } from '../../src/training/streams/epoch-logs.js';

describe('logs$ of minimumSharpness', () => {
  let warn: MockInstance<typeof console.warn>;
  let x: tf.Tensor2D;
  let y: tf.Tensor2D;
  let model: tfl.Sequential;
  let tensorsBefore: number;
  beforeEach(() => {
    warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    vi.spyOn(console, 'info').mockImplementation(() => {});
    tensorsBefore = tf.memory().numTensors;
    x = tf.randomNormal([10, 2], 0, 1, 'float32', 1);
    y = tf.tensor2d(Array.from({ length: 10 }, (_, i) => (i % 3 === 0 ? [1, 0] : [0, 1])));
    model = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, activation: 'softmax', inputShape: [2] })] });
    model.compile({ loss: 'categoricalCrossentropy', optimizer: 'sgd', metrics: ['accuracy'] });
  });
  afterEach(() => {
    vi.restoreAllMocks();
    model.dispose();
    tf.dispose([x, y]);
    expect(tf.memory().numTensors).toBe(tensorsBefore);
  });
  // 3 batches an epoch, the last one of 2 samples.
  const train = (callbacks: (tfl.CustomCallback | tfl.Callback)[], epochs: number, args: tfl.ModelFitArgs = {}) =>
    model.fit(x, y, { epochs, batchSize: 4, verbose: 0, callbacks: callbacks as tfl.Callback[], ...args });

  it('is the history, epoch by epoch, with metrics and validation as numbers', async () => {
    const sharpness = minimumSharpness({ data: x, initialStep: 100 });
    const logged: EpochLogs[] = [];
    sharpness.logs$.subscribe((logs) => logged.push(logs));
    const { history } = await train([sharpness], 2, { validationData: [x, y] });
    await train([sharpness], 1);
    expect(logged.map(({ step, epoch, batches }) => [step, epoch, batches])).toEqual([
      [103, 0, 3],
      [106, 1, 3],
      [109, 0, 3],
    ]);
    expect(Object.keys(history).sort()).toEqual(['acc', 'loss', 'minimumSharpness', 'val_acc', 'val_loss']);
    for (const epoch of [0, 1]) {
      const values = Object.entries(history).map(([name, all]) => [name, all[epoch]]);
      expect(logged[epoch]!.logs).toEqual(Object.fromEntries(values));
    }
    expect(Object.keys(logged[2]!.logs).sort()).toEqual(['acc', 'loss', 'minimumSharpness']);
    sharpness.dispose();
  });

  it('takes what is a number already', async () => {
    const sharpness = minimumSharpness({ data: x });
    const before = new tfl.CustomCallback({
      onEpochEnd: async (_, logs) => void Object.assign(logs!, { own: 7 }),
    });
    // It turns the scalars that came before it into numbers.
    const { history } = await train([before, sharpness], 1);
    const { logs } = await firstValueFrom(sharpness.logs$);
    expect(logs).toEqual({
      loss: history.loss[0],
      acc: history.acc[0],
      own: 7,
      minimumSharpness: sharpness.latest!.minimumSharpness,
    });
    sharpness.dispose();
  });

  it('joins every reading with its epoch, also in a second fit and after one that threw', async () => {
    const sharpness = minimumSharpness({ data: x, every: { batches: 2 } });
    const joined: [number, number, number][] = [];
    sharpness.readings$
      .pipe(withEpochLogs(sharpness.logs$))
      .subscribe(({ step, epoch, logs }) => joined.push([step!, epoch!, logs.loss]));
    const first = await train([sharpness], 2);
    const thrower = new tfl.CustomCallback({
      onBatchEnd: async (batch) => {
        if (batch === 1) {
          throw new Error('out of luck');
        }
      },
    });
    const { numTensors } = tf.memory();
    await expect(train([thrower], 1)).rejects.toThrow('out of luck');
    const leakOfTfjs = tf.memory().numTensors - numTensors;
    tensorsBefore += 2 * leakOfTfjs;
    await expect(train([sharpness, thrower], 1)).rejects.toThrow('out of luck'); // after a reading at step 8
    const last = await train([sharpness], 1); // steps 9 to 11
    const [one, two] = first.history.loss as number[];
    expect(joined).toEqual([
      [2, 0, one],
      [4, 1, two],
      [6, 1, two],
      [10, 0, last.history.loss[0]],
    ]);
    sharpness.dispose();
  });

  it('gives a late subscriber the latest reading with its logs', async () => {
    const sharpness = minimumSharpness({ data: x });
    const { history } = await train([sharpness], 2);
    const joined = await firstValueFrom(sharpness.readings$.pipe(withEpochLogs(sharpness.logs$)));
    expect(joined.logs.loss).toBe(history.loss[1]);
    expect(joined.minimumSharpness).toBe(history.minimumSharpness[1]);
    sharpness.dispose();
  });

  it('lets training go on when a subscriber throws, and completes on dispose', async () => {
    const sharpness = minimumSharpness({ data: x });
    const problems: Problem[] = [];
    sharpness.problems$.subscribe((problem) => problems.push(problem));
    const fail = () => {
      throw new Error('at fault');
    };
    sharpness.logs$.subscribe(fail);
    sharpness.readings$.pipe(withEpochLogs(sharpness.logs$), filter(fail)).subscribe();
    let completed = 0;
    sharpness.logs$.subscribe({ complete: () => completed++ });
    const history = await train([sharpness], 2);
    expect(history.epoch).toEqual([0, 1]);
    // The stream that failed has ended, the subscriber stays.
    expect(problems.map(({ epoch, message }) => [epoch, message])).toEqual([
      [0, 'a subscriber to logs$ threw: at fault'],
      [0, 'a subscriber to readings$ threw: at fault'],
      [1, 'a subscriber to logs$ threw: at fault'],
    ]);
    expect(warn).toHaveBeenCalledTimes(2);
    sharpness.dispose();
    expect(completed).toBe(1);
    await train([sharpness], 1);
    expect(warn).toHaveBeenCalledTimes(3);
  });
});
