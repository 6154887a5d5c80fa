import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { ReplaySubject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { measureSharpness } from '../../../src/measure/measure-sharpness.js';
import type { SharpnessReading } from '../../../src/measure/reading.js';
import { minimumSharpness } from '../../../src/training/minimum-sharpness.js';
import { earlyStopping } from '../../../src/training/stopping/early-stopping.js';
import type { EarlyStoppingOptions } from '../../../src/training/stopping/stopping-options.js';

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
    if (value === undefined) {
      return;
    }
    tf.dispose(logs[this.key] as unknown as tf.Tensor | undefined); // where it takes the place of a metric
    logs[this.key] = value;
  }
}

/** Gives readings with the given values at the ends of batches, or of epochs, as a sharpness callback does. */
class ScriptedReadings extends tfl.Callback {
  readonly readings$ = new ReplaySubject<SharpnessReading>(1);
  #next = 0;

  constructor(
    readonly readings: readonly (number | Partial<SharpnessReading>)[],
    readonly unit: 'batch' | 'epoch' = 'batch',
    readonly every = 1,
  ) {
    super();
  }
  override async onBatchEnd(batch: number) {
    if (this.unit === 'batch' && (batch + 1) % this.every === 0) {
      this.#emit();
    }
  }
  override async onEpochEnd() {
    if (this.unit === 'epoch') {
      this.#emit();
    }
  }
  #emit() {
    const given = this.readings[this.#next++ % this.readings.length]!;
    const reading = typeof given === 'number' ? { minimumSharpness: given } : given;
    this.readings$.next({ standardError: 0, ...reading } as SharpnessReading);
  }
}

/** A callback of plain functions. tf.js' type for it lacks `model`. */
const custom = (args: ConstructorParameters<typeof tfl.CustomCallback>[0]) =>
  new tfl.CustomCallback(args) as unknown as tfl.Callback;

/** Counts batches. */
class BatchCount extends tfl.Callback {
  batches = 0;
  override async onBatchEnd() {
    this.batches++;
  }
}

const warningsOf = (warn: MockInstance<typeof console.warn>) =>
  warn.mock.calls.map(([line]) => String(line).replace('tfjs-sharpness, earlyStopping: ', ''));

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

  describe('on the logs of a sharpness callback', () => {
    const relu = () =>
      tfl.sequential({
        layers: [
          tfl.layers.dense({ units: 2, inputShape: [1], activation: 'relu', kernelInitializer: 'ones' }),
          tfl.layers.dense({ units: 1, kernelInitializer: 'ones' }),
        ],
      });
    /** Weights do not move: every reading is the same. */
    async function trained(
      every: { epochs: number },
      patience: number,
      callbacks: tfl.Callback[] = [],
      data = x,
      options: Partial<EarlyStoppingOptions> = {},
    ) {
      const own = relu();
      own.compile({ loss: 'meanSquaredError', optimizer: tf.train.sgd(0) });
      const sharpness = minimumSharpness({ data, every });
      const stopping = earlyStopping({ monitor: 'minimumSharpness', patience, ...options });
      const before = tf.memory().numTensors;
      const { history } = await own.fit(x, x, {
        epochs: 30,
        verbose: 0,
        callbacks: [...callbacks, sharpness, stopping],
      });
      expect(tf.memory().numTensors - before).toBeLessThanOrEqual(1); // the optimizer's rate
      sharpness.dispose();
      own.optimizer.dispose();
      own.dispose();
      return history.minimumSharpness as number[];
    }

    it.each([
      [{ epochs: 1 }, 3, 4],
      [{ epochs: 5 }, 3, 20],
      [{ epochs: 4 }, 1, 8],
      [{ epochs: 7 }, 0, 14],
    ])('counts epochs with a reading: every %o, patience %i', async (every, patience, epochs) => {
      expect((await trained(every, patience)).length).toBe(epochs);
    });

    it.each<[string, (model: tfl.LayersModel, data: tf.Tensor) => void]>([
      [
        'weights that are no numbers',
        (own) => own.setWeights(own.getWeights().map((w) => tf.fill(w.shape, Number.NaN))),
      ],
      ['disposed data', (_, data) => data.dispose()],
      [
        'a layer that is refused',
        (own) => {
          Object.defineProperty(own.layers[1], 'stateful', { get: () => true });
        },
      ],
    ])('does not stop on %s, and the history has NaN from there on', async (_, break_) => {
      const data = tf.clone(x);
      class Breaking extends tfl.Callback {
        override async onEpochEnd(epoch: number) {
          if (epoch === 1) {
            tf.tidy(() => break_(this.model, data));
          }
        }
      }
      const history = await trained({ epochs: 1 }, 2, [new Breaking()], data, { stopOnNaN: false });
      data.dispose();
      expect(history.length).toBe(30);
      expect(history[0]).toBeGreaterThan(0);
      expect(history.slice(1).every(Number.isNaN)).toBe(true);
    });
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
    const stopping = earlyStopping({ monitor: 'value' });
    for (const _ of [1, 2]) {
      const history = await train([stopping], { epochs: 3, validationData: [x, x] });
      expect(history.epoch.length).toBe(3);
    }
    expect(warningsOf(warn)).toEqual(['the epoch logs have no "value", only val_loss, loss: training is not stopped.']);
  });

  it('says so too when there is one epoch only', async () => {
    await train([earlyStopping({ monitor: 'value' })], { epochs: 1 });
    expect(warningsOf(warn)).toEqual([expect.stringContaining('no "value", only loss:')]);
  });

  it('says once that it stands before the callback that sets the field', async () => {
    const stopping = earlyStopping({ monitor: 'value' });
    const history = await train([stopping, new Scripted(Array(8).fill(1))]);
    expect(history.epoch.length).toBe(8);
    expect(warningsOf(warn)).toEqual([
      'it stands before the callback that sets "value", and so does not see it: training is not stopped. ' +
        'Put earlyStopping after that callback.',
    ]);
  });

  it('says before the first epoch that there will be no validation', async () => {
    const stopping = earlyStopping({ monitor: 'val_loss' });
    const early: string[] = [];
    const look = custom({ onEpochBegin: async () => void early.push(...warningsOf(warn)) });
    const history = await train([stopping, look], { epochs: 3 });
    expect(history.epoch.length).toBe(3);
    const line =
      'the epoch logs will have no "val_loss", only loss: training is not stopped. ' +
      'Pass validationData or validationSplit to fit.';
    expect(early[0]).toBe(line);
    expect(warningsOf(warn)).toEqual([line]);
  });

  it('takes no offence at a field of its own that begins with val_', async () => {
    const history = await train([new Scripted([1, 1, 1], 'val_value'), earlyStopping({ monitor: 'val_value' })]);
    expect(history.epoch.length).toBe(2);
    expect(warn).not.toHaveBeenCalled();
  });

  it('takes no offence at the epoch without validation in which training was stopped', async () => {
    const stop = custom({
      onBatchEnd: async (batch) => {
        if (batch === 0) {
          model.stopTraining = true;
        }
      },
    });
    const stopping = earlyStopping({ monitor: 'val_loss' });
    const history = await train([stop, stopping], { batchSize: 1, validationData: [x, x] });
    expect(history.history).not.toHaveProperty('val_loss');
    expect(warn).not.toHaveBeenCalled();
  });

  it('says so with verbose', async () => {
    await epochs([3, 3]);
    expect(log).not.toHaveBeenCalled();
    await epochs([3, 3], { verbose: 1 });
    expect(log.mock.calls).toEqual([['Epoch 2: early stopping, value was best at 3.']]);
  });

  it('does what Keras does', async () => {
    const file = new URL('../../fixtures/keras-early-stopping/cases.json', import.meta.url);
    const { cases } = JSON.parse(readFileSync(file, 'utf8')) as {
      cases: { values: number[]; options: Partial<EarlyStoppingOptions>; epochs: number; weights: number }[];
    };
    expect(cases.length).toBe(200);
    const inner = (model as unknown as { model: tfl.LayersModel }).model;
    const variable = model.weights[0]!.read() as tf.Variable;
    for (const { values, options, epochs, weights } of cases) {
      const stopping = earlyStopping({ monitor: 'value', ...options });
      stopping.setParams({ metrics: ['loss'] });
      stopping.setModel(inner);
      await stopping.onTrainBegin();
      inner.stopTraining = false;
      let trained = 0;
      for (const [epoch, value] of values.entries()) {
        tf.tidy(() => variable.assign(tf.fill([1, 1], epoch)));
        await stopping.onEpochBegin(epoch);
        await stopping.onEpochEnd(epoch, { value });
        trained++;
        if (inner.stopTraining) {
          break;
        }
      }
      await stopping.onTrainEnd();
      const found = { epochs: trained, weights: variable.dataSync()[0] };
      expect(found, JSON.stringify({ values, options })).toEqual({ epochs, weights });
    }
    expect(warn).not.toHaveBeenCalled();
  });

  describe('startFromAccuracy', () => {
    const withAccuracy = (values: number[], accuracies: number[], options: Partial<EarlyStoppingOptions>) => {
      model.compile({ loss: 'meanSquaredError', optimizer: model.optimizer, metrics: ['accuracy'] });
      const stopping = earlyStopping({ monitor: 'value', startFromAccuracy: 0.9, ...options });
      const history = train([new Scripted(values), new Scripted(accuracies, 'acc'), stopping]);
      return history.then(({ epoch }) => ({ epochs: epoch.length, best: stopping.best }));
    };

    it('lets nothing count before', async () => {
      const found = await withAccuracy([1, 5, 5, 5, 4, 4, 4, 4], [0, 0.5, 0.89, 0.9, 1, 1, 1, 1], {});
      expect(found).toEqual({ epochs: 6, best: 4 });
    });

    it('leaves the waiting alone where it is lower again', async () => {
      const found = await withAccuracy([5, 5, 1, 5, 5, 5, 5, 5], [1, 1, 0.8, 0.8, 0.9, 1, 1, 1], { patience: 2 });
      expect(found).toEqual({ epochs: 5, best: 5 });
    });

    it('goes with worsensAsLossFalls', async () => {
      const options = { when: 'worsensAsLossFalls' as const, patience: 2 };
      const found = await withAccuracy([1, 2, 3, 4, 5, 6, 7, 8], [0, 0, 0, 1, 1, 1, 1, 1], options);
      expect(found).toEqual({ epochs: 6, best: 4 });
    });

    it('says before the first epoch that there will be no accuracy', async () => {
      const history = await train([
        new Scripted(Array(8).fill(1)),
        earlyStopping({ monitor: 'value', startFromAccuracy: 1 }),
      ]);
      expect(history.epoch.length).toBe(8);
      expect(warningsOf(warn)).toEqual([
        'startFromAccuracy needs an accuracy, but the logs will have only loss: training is not stopped. ' +
          "Compile the model with metrics: ['accuracy'].",
      ]);
    });
  });

  it('worsensAsLossFalls watches the training loss of the logs', async () => {
    const options = { when: 'worsensAsLossFalls' as const, patience: 3 };
    const watching = async (values: number[], loss: 'falls' | 'rises', mode: 'min' | 'max') => {
      const losses = new Scripted(loss === 'falls' ? [9, 8, 7, 6, 5, 4, 3, 2] : [1, 2, 3, 4, 5, 6, 7, 8], 'loss');
      const history = await train([
        new Scripted(values),
        losses,
        earlyStopping({ monitor: 'value', mode, ...options }),
      ]);
      return history.epoch.length;
    };
    expect(await watching([1, 2, 3, 4, 5, 6, 7, 8], 'falls', 'min')).toBe(4);
    expect(await watching([1, 2, 3, 4, 5, 6, 7, 8], 'rises', 'min')).toBe(8);
    expect(await watching([1, 2, 3, 4, 5, 6, 7, 8], 'falls', 'max')).toBe(8);
    expect(await watching([8, 7, 6, 5, 4, 3, 2, 1], 'falls', 'max')).toBe(4);
  });

  it('smooths any field', async () => {
    // Averages: 4, 2.67, 2.86.
    expect(await epochs([4, 2, 3, 0], { smoothing: 0.5 })).toBe(3);
    // Averages: 4, 2, 2.57, 2.53; one of them alone, 0.5, would be better than 2.
    expect(await epochs([4, 1, 3, 2.5, 0.5], { smoothing: 0.5, patience: 2 })).toBe(4);
  });

  it('leaves what is not finite out of the average', async () => {
    // Averages: 4, -, 3, 2.43.
    const stopping = earlyStopping({ monitor: 'value', smoothing: 0.5, patience: 2 });
    await train([new Scripted([4, Number.NaN, Number.POSITIVE_INFINITY, 1]), stopping], { epochs: 4 });
    expect(stopping.stoppedEpoch).toBe(2);
    const patient = earlyStopping({ monitor: 'value', smoothing: 0.5, patience: 4 });
    await train([new Scripted([4, Number.NaN, Number.POSITIVE_INFINITY, 2]), patient], { epochs: 4 });
    expect(patient.best).toBeCloseTo(8 / 3, 12);
  });

  describe('with readings', () => {
    // The values are made up: they have nothing to do with the loss.
    const anyLoss = { lossMargin: false } as const;
    const scripted = (
      readings: readonly (number | Partial<SharpnessReading>)[],
      unit?: 'batch' | 'epoch',
      every?: number,
    ) => new ScriptedReadings(readings, unit, every);

    /** Batches trained, of 16 in 8 epochs. */
    async function batches(readings: ScriptedReadings, options: Partial<EarlyStoppingOptions> = {}) {
      const count = new BatchCount();
      const stopping = earlyStopping({ ...anyLoss, readings, ...options });
      await train([readings, stopping, count], { batchSize: 1 });
      expect(warn).not.toHaveBeenCalled();
      return { batches: count.batches, best: stopping.best, stoppedEpoch: stopping.stoppedEpoch };
    }

    it.each<[string, (number | Partial<SharpnessReading>)[], Partial<EarlyStoppingOptions>, object]>([
      [
        'counts readings and stops at one',
        [5, 4, 3, 3, 3, 9],
        { patience: 2 },
        { batches: 5, best: 3, stoppedEpoch: 2 },
      ],
      ['stops in the middle of an epoch', [5, 4, 4], {}, { batches: 3, best: 4, stoppedEpoch: 1 }],
      ['ignores those before startFromEpoch', [1, 1, 5, 4, 4], { startFromEpoch: 1 }, { batches: 5, best: 4 }],
      [
        'watches the field asked for',
        [1, 2, 3, 3].map((trace) => ({ minimumSharpness: -trace, trace })),
        { monitor: 'trace' },
        { batches: 2, best: 1 },
      ],
      ['knows mode max', [1, 2, 3, 3], { mode: 'max' }, { batches: 4, best: 3 }],
      ['smooths', [4, 2, 3, 0], { smoothing: 0.5 }, { batches: 3 }],
      [
        'takes standard errors into account',
        [
          { minimumSharpness: 10, standardError: 3 },
          { minimumSharpness: 1, standardError: 4 },
        ],
        { standardErrors: 2 },
        { batches: 2, best: 10 },
      ],
      [
        'takes what is beyond them for a change',
        [
          { minimumSharpness: 10, standardError: 3 },
          { minimumSharpness: -1, standardError: 4 },
          { minimumSharpness: -1, standardError: 4 },
        ],
        { standardErrors: 2 },
        { batches: 3, best: -1 },
      ],
    ])('%s', async (_, readings, options, expected) => {
      expect(await batches(scripted(readings), options)).toMatchObject(expected);
    });

    it.each([
      ['within 0.05 times the first, by default', 0.549, {}, 1],
      ['further away, by default', 0.551, {}, 4],
      ['within the margin that is given', 0.599, { lossMargin: 0.1 }, 1],
      ['beyond the margin that is given', 0.601, { lossMargin: 0.1 }, 4],
    ])('judges a reading by how far its loss is from the lowest: %s', async (_, loss, options, best) => {
      const readings = scripted([5, 4, 1]);
      const stopping = earlyStopping({ readings, patience: 9, ...options });
      stopping.setModel(model);
      await stopping.onTrainBegin();
      // Epochs of one batch each: the first loss is 1, the lowest 0.5.
      for (const [epoch, each] of [1, 0.5, loss].entries()) {
        await stopping.onEpochBegin(epoch);
        await stopping.onBatchBegin(0);
        await readings.onBatchEnd(0);
        await stopping.onBatchEnd(0, { size: 16, loss: each });
        await stopping.onEpochEnd(epoch, { loss: each });
      }
      expect(stopping.best).toBe(best);
      await stopping.onTrainEnd();
    });

    it('takes readings at the ends of epochs, at any place among the callbacks', async () => {
      expect(await batches(scripted([5, 4, 4], 'epoch'))).toMatchObject({ batches: 6, stoppedEpoch: 2 });
      const readings = scripted([5, 4, 4], 'epoch');
      const history = await train([earlyStopping({ ...anyLoss, readings }), readings]);
      expect(history.epoch.length).toBe(3);
    });

    it('works in fitDataset', async () => {
      const readings = scripted([5, 4, 4]);
      const stopping = earlyStopping({ ...anyLoss, readings });
      const batch = { xs: x, ys: x };
      const dataset = {
        size: 2,
        iterator: async () => {
          let left = 2;
          return {
            next: async () =>
              left-- > 0
                ? { value: tf.tidy(() => ({ xs: tf.clone(batch.xs), ys: tf.clone(batch.ys) })), done: false }
                : { value: null, done: true },
          };
        },
      };
      const count = new BatchCount();
      await model.fitDataset(dataset as unknown as Parameters<typeof model.fitDataset>[0], {
        epochs: 4,
        verbose: 0,
        callbacks: [readings, stopping, count],
      });
      expect(count.batches).toBe(3);
    });

    it('compares with the loss of the batches since the reading before, wherever it stands', async () => {
      // The weights stay 0, so the loss of a batch is the square of its target.
      const stopped = async (targets: number[], order: 'before' | 'after') => {
        const still = tfl.sequential({
          layers: [tfl.layers.dense({ units: 1, inputShape: [1], kernelInitializer: 'zeros' })],
        });
        const optimizer = tf.train.sgd(0);
        still.compile({ loss: 'meanSquaredError', optimizer });
        const ys = tf.tensor2d(targets, [4, 1]);
        const readings = scripted([1, 2], 'batch', 2);
        const stopping = earlyStopping({ ...anyLoss, readings, when: 'worsensAsLossFalls' });
        const callbacks = order === 'before' ? [stopping, readings] : [readings, stopping];
        const rows = tf.zeros([4, 1]);
        await still.fit(rows, ys, { epochs: 1, batchSize: 1, shuffle: false, verbose: 0, callbacks });
        tf.dispose([ys, rows]);
        still.dispose();
        optimizer.dispose();
        return stopping.stoppedEpoch === 0;
      };
      for (const order of ['before', 'after'] as const) {
        expect(await stopped([1, 4, 3, 2], order), order).toBe(true); // 8.5, then 6.5
        expect(await stopped([2, 3, 4, 1], order), order).toBe(false); // 6.5, then 8.5
      }
    });

    it('takes the accuracy from the batches too', async () => {
      const accurate = tfl.sequential({
        layers: [tfl.layers.dense({ units: 1, inputShape: [1], activation: 'sigmoid', kernelInitializer: 'ones' })],
      });
      const optimizer = tf.train.sgd(0);
      accurate.compile({ loss: 'binaryCrossentropy', optimizer, metrics: ['accuracy'] });
      const rows = tf.ones([4, 1]); // told to be of class 1
      const targets = tf.tensor2d([0, 1, 1, 0], [4, 1]);
      const readings = scripted([1, 2, 2, 2]);
      const stopping = earlyStopping({ ...anyLoss, readings, startFromAccuracy: 1 });
      const count = new BatchCount();
      const args = { epochs: 1, batchSize: 1, shuffle: false, verbose: 0, callbacks: [readings, stopping, count] };
      await accurate.fit(rows, targets, args);
      expect(count.batches).toBe(3);
      expect(stopping.best).toBe(2);
      tf.dispose([rows, targets]);
      accurate.dispose();
      optimizer.dispose();
    });

    it('passes over what is replayed from an earlier fit, and lets go of the stream at the end', async () => {
      const readings = scripted([1, 5, 4, 3, 2], 'epoch');
      await train([readings], { epochs: 1 });
      const stopping = earlyStopping({ ...anyLoss, readings });
      await train([readings, stopping], { epochs: 4 });
      expect(stopping.best).toBe(2);
      expect(readings.readings$.observed).toBe(false);
    });

    it('says once when the sharpness callback is not in the fit', async () => {
      const readings = scripted([1]);
      const stopping = earlyStopping({ ...anyLoss, readings });
      await train([stopping]);
      await train([stopping]);
      expect(warningsOf(warn)).toEqual([
        'the sharpness callback given as readings is not in the callbacks of this fit: put it there too.',
      ]);
    });

    it('says so when no reading came', async () => {
      const readings = scripted([1], 'batch', 5);
      await train([readings, earlyStopping({ ...anyLoss, readings })], { epochs: 2 });
      expect(warningsOf(warn)).toEqual([expect.stringMatching(/^no reading came, so there was nothing to judge:/)]);
    });
  });
});

describe('restoreBestWeights', () => {
  let x: tf.Tensor2D;
  let y: tf.Tensor2D;
  let model: tfl.Sequential;
  let tensorsBefore: number;
  /** All weights at the end of every epoch. */
  let seen: Float32Array[][];

  const weights = () => model.weights.map((weight) => weight.read().dataSync().slice() as Float32Array);
  const noting = () => custom({ onEpochEnd: async () => void seen.push(weights()) });
  const best = [5, 3, 4, 4, 4, 4, 4, 4];

  beforeEach(() => {
    vi.spyOn(console, 'info').mockImplementation(() => {});
    x = tf.randomNormal([12, 3], 0, 1, 'float32', 1);
    y = tf.tidy(() =>
      tf.cast(tf.oneHot(tf.tensor1d([0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0], 'int32'), 2), 'float32'),
    ) as tf.Tensor2D;
    const norm = tfl.constraints.maxNorm({ maxValue: 2, axis: 0 });
    model = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 4, inputShape: [3], activation: 'relu', kernelConstraint: norm }),
        tfl.layers.batchNormalization(),
        tfl.layers.dense({ units: 2, activation: 'softmax' }),
      ],
    });
    model.compile({ loss: 'categoricalCrossentropy', optimizer: tf.train.sgd(0.1) });
    seen = [];
    tensorsBefore = tf.memory().numTensors;
  });
  afterEach(() => {
    vi.restoreAllMocks();
    expect(tf.memory().numTensors).toBe(tensorsBefore);
    model.dispose();
    tf.dispose([x, y]);
  });

  const train = (callbacks: tfl.Callback[], args: tfl.ModelFitArgs = {}) =>
    model.fit(x, y, { epochs: 6, batchSize: 4, verbose: 0, callbacks, ...args });

  it.each<[string, Partial<EarlyStoppingOptions>, (stopping: tfl.Callback) => tfl.Callback[], number]>([
    ['it stopped', { patience: 2 }, (stopping) => [stopping], 4],
    ['the epochs ran out', { patience: 9 }, (stopping) => [stopping], 6],
    ['another callback stopped it', { patience: 9 }, (stopping) => [stopping, tfjsStopping()], 3],
    ['someone stopped it in an epoch', { patience: 9 }, (stopping) => [stopping, stopInEpoch(2)], 3],
    ['the best epoch is the last', { patience: 9 }, (stopping) => [stopping, stopInEpoch(1)], 2],
  ])('when %s', async (_, options, callbacks, epochs) => {
    const stopping = earlyStopping({ monitor: 'value', restoreBestWeights: true, ...options });
    await train([noting(), new Scripted(best), ...callbacks(stopping)]);
    expect(seen.length).toBe(epochs);
    expect(weights()).toEqual(seen[1]);
    expect(stopping.bestEpoch).toBe(1);
    const distinct = new Set(seen.map((each) => each.map((values) => values.join()).join(';')));
    expect(distinct.size).toBe(epochs);
    // The moving averages of batch normalization are among them.
    expect(seen[0]!.length).toBe(8);
    expect(seen[1]![6]).not.toEqual(seen[0]![6]);
  });

  const tfjsStopping = () => tfl.callbacks.earlyStopping({ monitor: 'value', patience: 1 });
  const stopInEpoch = (last: number) => {
    let epoch = 0;
    return custom({
      onEpochBegin: async (begun) => {
        epoch = begun;
      },
      onBatchEnd: async (batch) => {
        if (epoch === last && batch === 1) {
          model.stopTraining = true;
        }
      },
    });
  };

  it('with mode max, smoothing, and a baseline that is never reached', async () => {
    const max = earlyStopping({ monitor: 'value', mode: 'max', restoreBestWeights: true, patience: 9 });
    await train([noting(), new Scripted([1, 2, 5, 4, 3, 2]), max]);
    expect(weights()).toEqual(seen[2]);
    seen = [];
    const smoothed = earlyStopping({ monitor: 'value', smoothing: 0.5, restoreBestWeights: true, patience: 9 });
    await train([noting(), new Scripted([4, 2, 0, 9, 2, 3]), smoothed]);
    expect(weights()).toEqual(seen[2]);
    seen = [];
    const baseline = earlyStopping({ monitor: 'value', baseline: 1, restoreBestWeights: true, patience: 3 });
    await train([noting(), new Scripted([4, 3, 5, 5, 5, 5]), baseline]);
    expect(seen.length).toBe(3);
    expect(weights()).toEqual(seen[1]);
  });

  it('for val_loss, which tf.js cannot', async () => {
    const stopping = earlyStopping({ monitor: 'val_loss', restoreBestWeights: true, patience: 2 });
    const validation: [tf.Tensor, tf.Tensor] = [tf.randomNormal([6, 3], 0, 1, 'float32', 9), tf.slice(y, 0, 6)];
    const { history } = await train([noting(), stopping], { validationData: validation, epochs: 40 });
    const losses = history.val_loss as number[];
    const lowest = losses.indexOf(Math.min(...losses));
    expect(stopping.bestEpoch).toBe(lowest);
    expect(losses.length).toBeGreaterThan(lowest + 1);
    expect(weights()).toEqual(seen[lowest]);
    const evaluated = model.evaluate(validation[0], validation[1], { verbose: 0 }) as tf.Scalar;
    expect(evaluated.dataSync()[0]).toBeCloseTo(losses[lowest]!, 6);
    tf.dispose([evaluated, ...validation]);
  });

  it('for the reading whose weights were measured, in the middle of an epoch', async () => {
    const sharpness = minimumSharpness({ data: x, every: { batches: 1 } });
    const values: number[] = [];
    const measured: Float32Array[][] = [];
    sharpness.readings$.subscribe(({ minimumSharpness }) => {
      values.push(minimumSharpness);
      measured.push(weights());
    });
    const stopping = earlyStopping({ readings: sharpness, restoreBestWeights: true, patience: 5, lossMargin: false });
    await train([sharpness, stopping], { shuffle: false });
    const lowest = values.indexOf(Math.min(...values));
    expect(stopping.best).toBe(values[lowest]);
    expect(weights()).toEqual(measured[lowest]);
    const { minimumSharpness: again } = await measureSharpness(model, x);
    expect(again / stopping.best!).toBeCloseTo(1, 5);
    sharpness.dispose();
  });

  it('begins anew in a second fit, and leaves no tensor after two', async () => {
    const stopping = earlyStopping({ monitor: 'value', restoreBestWeights: true, patience: 2 });
    await train([new Scripted(best), stopping]);
    expect(tf.memory().numTensors).toBe(tensorsBefore);
    seen = [];
    await train([noting(), new Scripted([9, 8, 7, 8, 8]), stopping]);
    expect(weights()).toEqual(seen[2]);
    expect(stopping.best).toBe(7);
  });

  it('puts nothing back where there was no number', async () => {
    const stopping = earlyStopping({ monitor: 'value', restoreBestWeights: true });
    await train([new Scripted(best), stopping]);
    expect(stopping.bestEpoch).toBe(1);
    await train([noting(), new Scripted(Array(8).fill(Number.NaN)), stopping]);
    expect(seen.length).toBe(6);
    expect(weights()).toEqual(seen.at(-1));
    expect(stopping.best).toBeUndefined();
    expect(stopping.bestEpoch).toBeUndefined();
  });

  it('only where it is asked for', async () => {
    await train([noting(), new Scripted(best), earlyStopping({ monitor: 'value', patience: 2 })]);
    expect(weights()).toEqual(seen.at(-1));
  });

  describe('after a fit that threw', () => {
    const failing = () =>
      custom({
        onEpochEnd: async (epoch) => {
          if (epoch === 3) {
            throw new Error('no more');
          }
        },
      });

    it('frees the copies when the next fit begins', async () => {
      const stopping = earlyStopping({ monitor: 'value', restoreBestWeights: true, patience: 9 });
      await expect(train([noting(), new Scripted(best), stopping, failing()])).rejects.toThrow('no more');
      const left = tf.memory().numTensors;
      expect(weights()).toEqual(seen.at(-1));
      stopping.dispose();
      // What tf.js itself left of the failed epoch stays.
      expect(tf.memory().numTensors).toBe(left - model.weights.length);
      tensorsBefore = tf.memory().numTensors;

      await expect(train([noting(), new Scripted(best), stopping, failing()])).rejects.toThrow('no more');
      const leftAgain = tf.memory().numTensors - model.weights.length;
      seen = [];
      await train([noting(), new Scripted([3, 9, 9]), stopping], { epochs: 3 });
      expect(weights()).toEqual(seen[0]);
      expect(tf.memory().numTensors).toBe(leftAgain);
      tensorsBefore = leftAgain;
    });

    it('serves the fit of another model without complaint', async () => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
      const stopping = earlyStopping({ monitor: 'loss', patience: 9 });
      await expect(train([stopping, failing()])).rejects.toThrow('no more');
      tensorsBefore = tf.memory().numTensors; // with what tf.js left of the failed epoch
      const other = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [3] })] });
      other.compile({ loss: 'meanSquaredError', optimizer: 'sgd' });
      await other.fit(x, y, { epochs: 1, verbose: 0, callbacks: [stopping] });
      expect(warn).not.toHaveBeenCalled();
      other.dispose();
    });
  });

  it('dispose() in a fit ends the watching', async () => {
    const stopping = earlyStopping({ monitor: 'value', restoreBestWeights: true, patience: 1 });
    const disposing = custom({
      onEpochEnd: async (epoch) => {
        if (epoch === 1) {
          stopping.dispose();
        }
      },
    });
    const history = await train([noting(), new Scripted(best), stopping, disposing]);
    expect(history.epoch.length).toBe(6);
    expect(weights()).toEqual(seen.at(-1));
  });

  it('dispose() while a value is on its way leaves no copy', async () => {
    const stopping = earlyStopping({ monitor: 'value', restoreBestWeights: true });
    stopping.setParams({ metrics: ['loss'] });
    stopping.setModel((model as unknown as { model: tfl.LayersModel }).model);
    await stopping.onTrainBegin();
    const value = tf.scalar(1);
    const ended = stopping.onEpochEnd(0, { value } as unknown as tfl.Logs);
    stopping.dispose();
    await ended;
    value.dispose();
    expect(stopping.best).toBeUndefined();
  });

  it('says so with verbose', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    await train([new Scripted(best), earlyStopping({ monitor: 'value', restoreBestWeights: true, verbose: 1 })]);
    expect(log.mock.calls).toEqual([
      ['Epoch 3: early stopping, value was best at 3.'],
      ['The model has its weights of epoch 2, the best, again.'],
    ]);
  });

  it('says in one line that it cannot serve two fits at the same time', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const other = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [3] })] });
    other.compile({ loss: 'meanSquaredError', optimizer: 'sgd' });
    const stopping = earlyStopping({ monitor: 'loss', restoreBestWeights: true, patience: 9 });
    const inEpoch = custom({
      onEpochBegin: async (epoch) => {
        if (epoch === 1) {
          await other.fit(x, y, { epochs: 3, verbose: 0, callbacks: [stopping] });
        }
      },
    });
    await train([stopping, inEpoch]);
    expect(warningsOf(warn)).toEqual([
      'this callback serves two fits at the same time, which it cannot: make one for each.',
    ]);
    other.dispose();
  });
});
