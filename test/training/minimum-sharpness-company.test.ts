import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { minimumSharpness, type SharpnessCallback } from '../../src/training/minimum-sharpness.js';
import { earlyStopping } from '../../src/training/stopping/early-stopping.js';

/** The order of callbacks in a list, and what may stand beside ours. */
describe('in the company of', () => {
  let warn: MockInstance<typeof console.warn>;
  let x: tf.Tensor2D;
  let y: tf.Tensor2D;
  let model: tfl.Sequential;
  let sharpness: SharpnessCallback;
  let problems: string[];
  let tensorsBefore: number;

  beforeEach(() => {
    warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    vi.spyOn(console, 'info').mockImplementation(() => {});
    x = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
    y = tf.tensor2d([1, 0, 0, 1, 1, 0], [3, 2]);
    model = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, activation: 'softmax', inputShape: [2] })] });
    model.compile({ loss: 'categoricalCrossentropy', optimizer: 'sgd', metrics: ['accuracy'] });
    sharpness = minimumSharpness();
    problems = [];
    sharpness.problems$.subscribe(({ message }) => problems.push(message));
    tensorsBefore = tf.memory().numTensors;
  });
  afterEach(() => {
    sharpness.dispose();
    expect(tf.memory().numTensors).toBe(tensorsBefore);
    vi.restoreAllMocks();
    model.dispose();
    tf.dispose([x, y]);
  });

  const train = (...callbacks: object[]) =>
    model.fit(x, y, { epochs: 3, verbose: 0, callbacks: callbacks as tfl.Callback[] });
  /** What a callback finds in the epoch logs, if it stands after ours. */
  const logger = () => {
    const logged: number[] = [];
    return {
      logged,
      args: { onEpochEnd: async (_: number, logs?: tfl.Logs) => void logged.push(logs?.minimumSharpness as number) },
    };
  };
  const warnings = () => warn.mock.calls.map(([line]) => String(line));

  it('a CustomCallback after it', async () => {
    const { logged, args } = logger();
    const history = await train(sharpness, new tfl.CustomCallback(args));
    expect(logged).toEqual(history.history.minimumSharpness);
    expect(logged.every((value) => value > 0)).toBe(true);
  });

  it('a CustomCallback before it, which turns the logs into numbers', async () => {
    const { logged, args } = logger();
    const history = await train(new tfl.CustomCallback(args), sharpness);
    expect(logged).toEqual([undefined, undefined, undefined]);
    expect(history.history.minimumSharpness.length).toBe(3);
  });

  it('a CustomCallback in each place with every event', async () => {
    const events: string[] = [];
    const note = (name: string) => async () => void events.push(name);
    const all = () =>
      new tfl.CustomCallback(
        Object.fromEntries(
          ['onTrainBegin', 'onTrainEnd', 'onEpochBegin', 'onEpochEnd', 'onBatchBegin', 'onBatchEnd', 'onYield'].map(
            (event) => [event, note(event)],
          ),
        ),
      );
    const history = await train(all(), sharpness, all());
    expect(history.history.minimumSharpness.length).toBe(3);
    expect(events.filter((event) => event === 'onEpochEnd').length).toBe(6);
    expect(warnings()).toEqual([]);
  });

  it("tf.js' earlyStopping", async () => {
    const stopping = tfl.callbacks.earlyStopping({
      monitor: 'minimumSharpness',
      mode: 'max',
      patience: 1,
      minDelta: 1e9,
    });
    const history = await train(sharpness, stopping);
    expect(history.epoch).toEqual([0, 1]);
    expect(warnings()).toEqual([]);
  });

  it('our earlyStopping', async () => {
    const stopping = earlyStopping({ monitor: 'minimumSharpness', patience: 1, minDelta: 1e9 });
    const history = await train(sharpness, stopping);
    expect(history.epoch).toEqual([0, 1]);
  });

  it("a user's own subclass of tf.Callback, before and after", async () => {
    class Own extends tfl.Callback {
      readonly models: tfl.LayersModel[] = [];
      override async onEpochEnd() {
        this.models.push(this.model);
      }
    }
    const [first, last] = [new Own(), new Own()];
    const history = await train(first, sharpness, last);
    expect(first.models.length).toBe(3);
    expect(last.models).toEqual(first.models);
    expect(history.history.minimumSharpness.length).toBe(3);
  });

  it('a CustomCallback around tfjs-vis-like callbacks', async () => {
    // fitCallbacks of tfjs-vis returns { onBatchEnd, onEpochEnd } and draws the metrics it was told.
    const { logged, args } = logger();
    const fitCallbacks = { ...args, onBatchEnd: async () => {} };
    await train(sharpness, new tfl.CustomCallback(fitCallbacks));
    expect(logged.length).toBe(3);
  });

  describe('plain objects', () => {
    const remedy = 'Write new tf.CustomCallback({ ... }) around each plain object.';

    it('before it: training goes on, and a line says what to write', async () => {
      const { logged, args } = logger();
      const history = await train(args, sharpness);
      expect(logged.length).toBe(3);
      expect(history.history.loss.length).toBe(3);
      expect(history.history.minimumSharpness).toBeUndefined();
      expect(problems).toEqual([expect.stringContaining(remedy)]);
      expect(warnings()).toEqual([expect.stringContaining(remedy)]);
    });

    it('before it, after a fit with a model: that model is not taken for this one', async () => {
      await train(sharpness);
      const other = sharpness.latest;
      await train({ onEpochEnd: () => {} }, sharpness);
      expect(sharpness.latest).toBe(other);
      await train(sharpness);
      expect(sharpness.latest).not.toBe(other);
    });

    it('before our earlyStopping: training goes on, and a line says what to write', async () => {
      const history = await train({ onEpochEnd: () => {} }, earlyStopping({ monitor: 'loss', minDelta: 1e9 }));
      expect(history.epoch.length).toBe(3);
      expect(warnings()).toEqual([expect.stringContaining(remedy)]);
    });

    it('after it: tf.js throws, and a line says what to write', async () => {
      await expect(train(sharpness, { onEpochEnd: () => {} })).rejects.toThrow('setParams is not a function');
      expect(problems).toEqual([expect.stringContaining(remedy)]);
      expect(warnings()).toEqual([expect.stringContaining(remedy)]);
      const history = await train(sharpness);
      expect(history.history.minimumSharpness.length).toBe(3);
    });
  });
});
