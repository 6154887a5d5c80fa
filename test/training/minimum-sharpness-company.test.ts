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
  const warnings = () => warn.mock.calls.map(([line]) => String(line)).filter((line) => !line.includes('tfjs-node'));

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
    const stopping = earlyStopping({ monitor: 'minimumSharpness', patience: 1, minDelta: 1e9, lossMargin: false });
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

  describe('plain objects, with the option model', () => {
    const told = () => {
      sharpness.dispose();
      sharpness = minimumSharpness({ model, data: x });
      sharpness.problems$.subscribe(({ message }) => problems.push(message));
      return sharpness;
    };
    const noted = (events: string[], name: string) => ({ onEpochEnd: async () => void events.push(name) });

    it.each<[string, (ours: object, events: string[]) => object[]]>([
      ['alone', (ours) => [ours]],
      ['last', (ours, events) => [noted(events, 'a'), noted(events, 'b'), ours]],
      ['first', (ours, events) => [ours, noted(events, 'a'), noted(events, 'b')]],
      ['between', (ours, events) => [noted(events, 'a'), ours, noted(events, 'b')]],
      [
        'first, before callback objects too',
        (ours, events) => [ours, new tfl.CustomCallback(noted(events, 'a')), noted(events, 'b')],
      ],
      [
        'behind a callback object',
        (ours, events) => [new tfl.CustomCallback(noted(events, 'a')), ours, noted(events, 'b')],
      ],
    ])('it stands %s', async (_, list) => {
      const events: string[] = [];
      const all = list(told(), events);
      const history = await train(...all);
      expect(history.history.minimumSharpness).toHaveLength(3);
      expect(history.history.minimumSharpness.at(-1)).toBe(sharpness.latest?.minimumSharpness);
      expect(sharpness.latest).toMatchObject({ step: 3, epoch: 2 });
      expect(events).toEqual(all.length === 1 ? [] : ['a', 'b', 'a', 'b', 'a', 'b']);
      expect([problems, warnings()]).toEqual([[], []]);
    });

    it('minibatches are seen as well', async () => {
      sharpness.dispose();
      sharpness = minimumSharpness({ model, every: { batches: 2 } });
      await train(noted([], 'a'), sharpness);
      expect(sharpness.latest).toMatchObject({ step: 2, epoch: 1, samples: 3 });
    });

    it('a wrapper may hand on epochs alone, which then count as batches', async () => {
      const { onEpochEnd } = told();
      const steps: unknown[] = [];
      sharpness.readings$.subscribe(({ step, epoch }) => steps.push([step, epoch]));
      const history = await train({ onEpochEnd });
      expect(steps).toEqual([
        [1, 0],
        [2, 1],
        [3, 2],
      ]);
      expect(history.history.minimumSharpness).toHaveLength(3);
      expect(warnings()).toEqual([]);
    });

    it('without it, the line says that there is one', async () => {
      await train(noted([], 'a'), sharpness);
      expect(problems).toEqual([expect.stringContaining('minimumSharpness({ model })')]);
    });

    it('what is no model is refused', () => {
      expect(() => minimumSharpness({ model: 'mine' as never })).toThrow(/^model must be a tf\.LayersModel[^\n]*$/);
    });
  });
});
