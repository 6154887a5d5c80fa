import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { type EarlyStoppingOptions, earlyStopping } from '../../src/control/early-stopping.js';

/** Puts the given values into the epoch logs, one an epoch. */
class Scripted extends tfl.Callback {
  constructor(
    readonly values: (number | undefined)[],
    readonly key = 'value',
  ) {
    super();
  }
  override async onEpochEnd(epoch: number, logs: tfl.Logs) {
    const value = this.values[epoch];
    if (value !== undefined) logs[this.key] = value;
  }
}

describe('earlyStopping', () => {
  let warn: MockInstance<typeof console.warn>;
  let log: MockInstance<typeof console.log>;
  let x: tf.Tensor2D;
  let model: tfl.Sequential;
  let tensorsBefore: number;

  beforeEach(() => {
    warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    log = vi.spyOn(console, 'log').mockImplementation(() => {});
    x = tf.ones([2, 1]);
    model = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [1] })] });
    model.compile({ loss: 'meanSquaredError', optimizer: 'sgd' });
    tensorsBefore = tf.memory().numTensors;
  });
  afterEach(() => {
    vi.restoreAllMocks();
    expect(tf.memory().numTensors).toBe(tensorsBefore);
    model.dispose();
    x.dispose();
  });

  const train = (callbacks: tfl.Callback[], args: tfl.ModelFitArgs = {}) =>
    model.fit(x, x, { epochs: 8, verbose: 0, callbacks, ...args });

  /** Epochs trained, of 8. */
  async function epochs(values: (number | undefined)[], options: Partial<EarlyStoppingOptions> = {}) {
    const history = await train([new Scripted(values), earlyStopping({ monitor: 'value', ...options })]);
    return history.epoch.length;
  }

  it.each<[string, (number | undefined)[], Partial<EarlyStoppingOptions>, number]>([
    ['goes on while the value falls', [8, 7, 6, 5, 4, 3, 2, 1], {}, 8],
    ['stops at the first epoch without improvement', [3, 2, 2, 1], {}, 3],
    ['waits for `patience` epochs in a row', [3, 4, 2, 3, 3, 1], { patience: 2 }, 5],
    ['takes patience 1 like 0', [3, 2, 2, 1], { patience: 1 }, 3],
    ['starts waiting anew after an improvement', [3, 4, 2, 4, 1, 4, 0, 4], { patience: 2 }, 8],
    ['compares with the best, not the last', [3, 5, 4, 3.5, 3], { patience: 3 }, 4],
    ['wants more than minDelta', [3, 2.5, 2, 1, 0], { minDelta: 0.5 }, 2],
    ['takes what is a little more than minDelta', [3, 2.4, 1.8, 1.2, 0.6, 0, -0.6, -1.2], { minDelta: 0.5 }, 8],
    ['takes higher for better', [1, 2, 3, 3, 4], { mode: 'max' }, 4],
    ['wants more than minDelta upwards', [1, 1.5, 3], { mode: 'max', minDelta: 0.5 }, 2],
    ['ignores epochs before startFromEpoch', [1, 2, 3, 4, 5, 5], { startFromEpoch: 3 }, 5],
    ['takes nothing before startFromEpoch as the best', [1, 5, 4, 3, 3], { startFromEpoch: 1 }, 5],
    ['never takes NaN for an improvement', [3, Number.NaN, Number.NaN, 2], { patience: 2 }, 3],
    ['takes a value after NaN', [3, Number.NaN, 2, 1, 0, -1, -2, -3], { patience: 2 }, 8],
    ['does not wait before the first number', [Number.NaN, Number.NaN, Number.NaN, 3, 3], { patience: 1 }, 5],
    ['counts an infinite value', [Number.POSITIVE_INFINITY, 3, Number.POSITIVE_INFINITY], {}, 3],
    ['skips epochs without the field', [3, undefined, undefined, 3], { patience: 1 }, 4],
  ])('%s', async (_, values, options, expected) => {
    const rest = Array(8).fill(values.at(-1));
    expect(await epochs([...values, ...rest].slice(0, 8), options)).toBe(expected);
  });

  it.each([
    ['acc', 'takes higher for better', 3, [1, 2, 2]],
    ['val_acc', 'takes higher for better', 3, [1, 2, 2]],
    ['value', 'takes lower for better', 2, [1, 2, 2]],
  ])('by default, for %s, %s', async (monitor, _, expected, values) => {
    const history = await train([new Scripted(values, monitor), earlyStopping({ monitor })], { epochs: 3 });
    expect(history.epoch.length).toBe(expected);
    expect(await epochs([1, 2, 2], { mode: 'auto' })).toBe(2);
  });

  it('counts epochs from initialEpoch as fit numbers them', async () => {
    const stopping = earlyStopping({ monitor: 'value', startFromEpoch: 3 });
    const history = await train([new Scripted(Array(8).fill(1)), stopping], { initialEpoch: 2 });
    expect(history.epoch).toEqual([2, 3, 4]);
    expect(stopping.stoppedEpoch).toBe(4);
  });

  it('begins anew in every fit', async () => {
    const stopping = earlyStopping({ monitor: 'value', patience: 2 });
    const lengths = [];
    for (const values of [
      [1, 2, 3],
      [5, 4, 3, 3, 3],
    ]) {
      const history = await train([new Scripted(values), stopping]);
      lengths.push(history.epoch.length);
    }
    expect(lengths).toEqual([3, 5]);
    expect(stopping.best).toBe(3);
    expect(stopping.stoppedEpoch).toBe(4);
    await train([new Scripted([2, 1]), stopping], { epochs: 2 });
    expect(stopping.stoppedEpoch).toBeUndefined();
    expect(stopping.best).toBe(1);
  });

  it('reads metrics that are still tensors, and leaves them to History', async () => {
    const history = await train([earlyStopping({ monitor: 'loss', minDelta: 1e9 })]);
    expect(history.epoch.length).toBe(2);
    expect(history.history.loss.every((value) => typeof value === 'number')).toBe(true);
  });

  it('says once which fields there are when the monitored one is missing', async () => {
    const history = await train([earlyStopping({ monitor: 'value' }), new Scripted([1, 1, 1, 1, 1, 1, 1, 1])], {
      validationData: [x, x],
    });
    expect(history.epoch.length).toBe(8);
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/have no "value", only val_loss, loss: .* after the callback that sets the field\.$/)],
    ]);
  });

  it('says so with verbose', async () => {
    await epochs([3, 3]);
    expect(log).not.toHaveBeenCalled();
    await epochs([3, 3], { verbose: 1 });
    expect(log.mock.calls).toEqual([['Epoch 2: early stopping, value was best at 3.']]);
  });

  it.each<[object | undefined, RegExp]>([
    [undefined, /^monitor must/],
    [{}, /^monitor must/],
    [{ monitor: '' }, /^monitor must/],
    [{ monitor: 'value', minDelta: -1 }, /^minDelta must/],
    [{ monitor: 'value', minDelta: Number.NaN }, /^minDelta must/],
    [{ monitor: 'value', patience: -1 }, /^patience must/],
    [{ monitor: 'value', patience: 1.5 }, /^patience must/],
    [{ monitor: 'value', startFromEpoch: -1 }, /^startFromEpoch must/],
    [{ monitor: 'value', mode: 'lower' }, /^mode must/],
  ])('refuses %o in one line', (options, message) => {
    expect(() => earlyStopping(options as EarlyStoppingOptions)).toThrow(message);
    expect(() => earlyStopping(options as EarlyStoppingOptions)).toThrow(/^[^\n]+$/);
  });
});
