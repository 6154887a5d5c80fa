import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { concatMap } from 'rxjs';
import { afterEach, beforeEach, describe, expect, expectTypeOf, it, type MockInstance, vi } from 'vitest';
import type { LabelledInputs } from '../../src/measure/inputs.js';
import { estimateSharpness, measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { SharpnessReading } from '../../src/measure/reading.js';
import type { MinimumSharpnessOptions } from '../../src/training/callback-options.js';
import {
  MinimumSharpnessCallback,
  minimumSharpness,
  type SharpnessCallback,
} from '../../src/training/minimum-sharpness.js';
import type { Problem } from '../../src/training/problems.js';
import type { Measuring } from '../../src/training/sharpness-reader.js';

const samples = 10;
const batchSize = 4; // 3 batches an epoch, the last one of 2

function network(features = 2): tfl.Sequential {
  const model = tfl.sequential({
    layers: [
      tfl.layers.dense({ units: 3, activation: 'relu', inputShape: [features] }),
      tfl.layers.dense({ units: 2, activation: 'softmax' }),
    ],
  });
  model.compile({ loss: 'categoricalCrossentropy', optimizer: 'sgd' });
  return model;
}

/** Counts 1, 2, 3, ... instead of measuring, and keeps what it was given. */
class FakeMeasuring implements Measuring {
  readonly inputs: unknown[] = [];
  readonly models: tfl.LayersModel[] = [];
  readonly whole = this.#measure('whole');
  readonly minibatch = this.#measure('minibatch');
  readonly kinds: string[] = [];
  /** What to throw instead of the n-th value. */
  failAt: (n: number) => unknown = () => undefined;

  #measure(kind: string): typeof measureSharpness {
    return async (model, inputs, options) => {
      this.models.push(model);
      this.kinds.push(kind);
      const given = (inputs as Partial<LabelledInputs>).xs ?? inputs;
      this.inputs.push(Array.isArray(given) ? given.map((tensor) => tensor.arraySync()) : given);
      const value = this.inputs.length;
      await Promise.resolve();
      options?.signal?.throwIfAborted();
      const error = this.failAt(value);
      if (error !== undefined) {
        throw error;
      }
      return { minimumSharpness: value } as SharpnessReading;
    };
  }
}

function disposed(): tf.Tensor {
  const tensor = tf.zeros([3, 2]);
  tensor.dispose();
  return tensor;
}

/** Makes batches long enough for a share of their time to hold a reading. */
const slow = () =>
  new tfl.CustomCallback({ onBatchBegin: () => new Promise<void>((resolve) => setTimeout(resolve, 30)) });

const valuesOf = (history: tfl.History, name = 'minimumSharpness') => history.history[name];

describe('minimumSharpness', () => {
  let warn: MockInstance<typeof console.warn>;
  let info: MockInstance<typeof console.info>;
  let x: tf.Tensor2D;
  let y: tf.Tensor2D;
  let model: tfl.Sequential;
  let tensorsBefore: number;

  beforeEach(() => {
    warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    info = vi.spyOn(console, 'info').mockImplementation(() => {});
    x = tf.randomNormal([samples, 2], 0, 1, 'float32', 1);
    y = tf.tensor2d(Array.from({ length: samples }, (_, i) => (i % 3 === 0 ? [1, 0] : [0, 1])));
    model = network();
    tensorsBefore = tf.memory().numTensors;
  });
  afterEach(() => {
    vi.restoreAllMocks();
    expect(tf.memory().numTensors).toBe(tensorsBefore);
    model.dispose();
    tf.dispose([x, y]);
  });

  const train = (callbacks: unknown, args: tfl.ModelFitArgs = {}, trained = model) =>
    trained.fit(x, y, { batchSize, verbose: 0, callbacks: callbacks as tfl.Callback[], ...args });
  const warnings = () => warn.mock.calls.map(([line]) => String(line));

  function watched(options: MinimumSharpnessOptions = {}, fake = new FakeMeasuring()) {
    const callback: SharpnessCallback = new MinimumSharpnessCallback(options, fake);
    const readings: SharpnessReading[] = [];
    const problems: Problem[] = [];
    callback.readings$.subscribe((reading) => readings.push(reading));
    callback.problems$.subscribe((problem) => problems.push(problem));
    const when = () => readings.map(({ step, epoch }) => [step, epoch]);
    return { callback, fake, readings, problems, when };
  }

  it('is a callback with streams', () => {
    const callback = minimumSharpness();
    expectTypeOf(callback).toExtend<tfl.Callback>();
    expect(callback).toBeInstanceOf(tfl.Callback);
    expect(callback.latest).toBeUndefined();
  });

  describe('when', () => {
    it('reads after every epoch by default', async () => {
      const { callback, when } = watched();
      await train([callback], { epochs: 2 });
      expect(when()).toEqual([
        [3, 0],
        [6, 1],
      ]);
    });

    it('takes a callback that is not in a list', async () => {
      const { callback, when } = watched();
      await train(callback, { epochs: 1 });
      expect(when()).toEqual([[3, 0]]);
    });

    it('counts batches and epochs over several fits', async () => {
      const { callback, when } = watched({ every: { epochs: 2 } });
      for (let i = 0; i < 4; i++) {
        await train([callback], { epochs: 1 });
      }
      expect(when()).toEqual([
        [6, 0],
        [12, 0],
      ]);
    });

    it('goes on with initialEpoch and initialStep', async () => {
      const { callback, when } = watched({ initialStep: 100 });
      await train([callback], { epochs: 1 });
      await train([callback], { initialEpoch: 5, epochs: 7 });
      expect(when()).toEqual([
        [103, 0],
        [106, 5],
        [109, 6],
      ]);
    });

    it.each<[string, MinimumSharpnessOptions, number, RegExp]>([
      [
        'as many as they have if all are alike',
        {},
        15,
        /^tfjs-sharpness, minimumSharpness: this fit begins at epoch 5 .* from 5 x 3 on/,
      ],
      ['initialStep, which is said', { initialStep: 0 }, 0, /^$/],
    ])('counts the batches before initialEpoch: %s', async (_, options, before, line) => {
      vi.resetModules();
      const { MinimumSharpnessCallback: Fresh } = await import('../../src/training/minimum-sharpness.js');
      const callback = new Fresh({ data: x, ...options }, new FakeMeasuring());
      const steps: unknown[] = [];
      callback.readings$.subscribe(({ step, epoch }) => steps.push([step, epoch]));
      await train([callback], { initialEpoch: 5, epochs: 7 });
      await train([callback], { initialEpoch: 9, epochs: 10 });
      expect(steps).toEqual([
        [before + 3, 5],
        [before + 6, 6],
        [before + 9, 9],
      ]);
      expect(info.mock.calls.join()).toMatch(line);
    });

    it('says that it cannot know the batches of a dataset before initialEpoch', async () => {
      const batches = tfd.array([0, 1]).map(() => ({ xs: tf.clone(x), ys: tf.clone(y) })) as tfd.Dataset<{
        xs: tf.Tensor;
        ys: tf.Tensor;
      }>;
      Object.assign(batches, { size: null });
      const { callback, when } = watched({ data: x });
      await model.fitDataset(batches, { initialEpoch: 2, epochs: 4, verbose: 0, callbacks: [callback] } as never);
      expect(when()[0]![0]).toBe(2);
      expect(warnings()).toEqual([expect.stringMatching(/begins at epoch \d .*not known: pass initialStep\.$/)]);
    });

    it('reads every k batches, also across epochs and fits', async () => {
      const { callback, when } = watched({ every: { batches: 4 }, initialStep: 2 });
      await train([callback], { epochs: 2 });
      await train([callback], { epochs: 2 });
      expect(when()).toEqual([
        [4, 0],
        [8, 1],
        [12, 1],
      ]);
    });

    it('reads after validation, with the weights that the batch left', async () => {
      const { callback, fake } = watched({ data: x, every: { batches: 3 } });
      const weights: unknown[] = [];
      fake.failAt = () => void weights.push(model.getWeights()[0].arraySync());
      await train([callback], { epochs: 1, validationData: [x, y] });
      expect(weights).toEqual([model.getWeights()[0].arraySync()]);
    });

    it('counts the batches of a training that was stopped early', async () => {
      const { callback, when } = watched();
      const stop = new tfl.CustomCallback({
        onBatchEnd: async () => {
          model.stopTraining = true;
        },
      });
      await train([callback, stop], { epochs: 5 });
      await train([callback], { epochs: 1 });
      expect(when()).toEqual([
        [1, 0],
        [4, 0],
      ]);
    });

    it('works with fitDataset', async () => {
      const dataset = tfd
        .zip({ xs: tfd.array(x.arraySync()), ys: tfd.array(y.arraySync()) } as never)
        .batch(batchSize) as tfd.Dataset<{ xs: tf.Tensor; ys: tf.Tensor }>;
      const { callback, when, fake } = watched({ every: { batches: 2 } });
      const history = await model.fitDataset(dataset, { epochs: 2, verbose: 0, callbacks: [callback] });
      expect(when()).toEqual([
        [2, 0],
        [4, 1],
        [6, 1],
      ]);
      const rows = x.arraySync();
      expect(fake.inputs).toEqual([[rows.slice(4, 8)], [rows.slice(0, 4)], [rows.slice(8)]]);
      expect(valuesOf(history)).toEqual([1, 3]);
    });
  });

  describe('what', () => {
    it('measures data as given', async () => {
      const { callback, fake } = watched({ data: x, memoryMB: 7 });
      await train([callback], { epochs: 2 });
      expect(fake.kinds).toEqual(['whole', 'whole']);
      expect(fake.inputs).toEqual([x, x]);
      expect(x.isDisposed).toBe(false);
    });

    it('measures the batch that has just been trained on', async () => {
      const { callback, fake } = watched({ every: { batches: 1 } });
      const elsewhere = tf.add(x, 5) as tf.Tensor2D;
      await train([callback], { epochs: 1, shuffle: false, validationData: [elsewhere, y] });
      elsewhere.dispose();
      const rows = x.arraySync();
      expect(fake.kinds).toEqual(['minibatch', 'minibatch', 'minibatch']);
      expect(fake.inputs).toEqual([[rows.slice(0, 4)], [rows.slice(4, 8)], [rows.slice(8)]]);
    });

    it('measures the first batch of an epoch after that epoch', async () => {
      const { callback, fake } = watched({ every: { epochs: 2 } });
      await train([callback], { epochs: 4, shuffle: false });
      const first = [x.arraySync().slice(0, 4)];
      expect(fake.inputs).toEqual([first, first]);
    });

    it('is not misled by training calls between batches', async () => {
      const { callback, fake } = watched();
      const elsewhere = tf.add(x, 5);
      const meddling = new tfl.CustomCallback({
        onBatchEnd: async () => void tf.tidy(() => void model.call(elsewhere, { training: true })),
      });
      await train([callback, meddling], { epochs: 1, shuffle: false });
      elsewhere.dispose();
      expect(fake.inputs).toEqual([[x.arraySync().slice(0, 4)]]);
    });

    it('keeps one batch at most, with its labels and weights, and only while one is needed', async () => {
      const { callback } = watched({ every: { epochs: 2 } });
      const tensorsDuring = async (...callbacks: tfl.Callback[]) => {
        const counts: number[] = [];
        const count = new tfl.CustomCallback({ onBatchEnd: () => void counts.push(tf.memory().numTensors) });
        await train([count, ...callbacks], { epochs: 3 });
        return counts;
      };
      const [without, counts] = [await tensorsDuring(), await tensorsDuring(callback)];
      expect(counts.map((tensors, i) => tensors - without[i])).toEqual([0, 0, 0, 3, 3, 3, 0, 0, 0]);
    });

    it('agrees with measureSharpness after training', async () => {
      const callback = minimumSharpness({ data: x });
      await train([callback], { epochs: 2 });
      const { durationMs: _, ...expected } = await measureSharpness(model, x);
      expect(callback.latest).toMatchObject({ ...expected, step: 6, epoch: 1 });
      expect(callback.latest?.minimumSharpness).toBeGreaterThan(0);
    });

    it('measures a dataset', async () => {
      const dataset = tfd.array(x.arraySync()).batch(4) as tfd.Dataset<tf.Tensor>;
      const callback = minimumSharpness({ data: dataset });
      await train([callback], { epochs: 2 });
      const expected = await measureSharpness(model, x);
      expect(callback.latest?.samples).toBe(samples);
      expect(callback.latest?.minimumSharpness).toBeCloseTo(expected.minimumSharpness, 5);
    });

    it('carries the spread between samples for minibatches', async () => {
      const callback = minimumSharpness();
      await train([callback], { epochs: 1, shuffle: false });
      const [xs, ys] = [tf.slice(x, 0, 4), tf.slice(y, 0, 4)];
      const { durationMs: _, ...expected } = await estimateSharpness(model, { xs, ys });
      tf.dispose([xs, ys]);
      expect(callback.latest).toMatchObject(expected);
      expect(callback.latest?.samples).toBe(4);
      expect(callback.latest?.standardError).toBeGreaterThan(0);
    });
  });

  describe('what fit minimises', () => {
    const classWeight = { 0: 3, 1: 0.25 };

    it('is what a minibatch is measured with: rows of labels and weights of classes', async () => {
      const callback = minimumSharpness({ every: { batches: 1 } });
      const rows = tf.tensor2d([[1, 0], [0, 0], [1, 1], [0, 1]]); // biome-ignore format: one line a tensor
      const inputs = tf.slice(x, 0, 4);
      await model.fit(inputs, rows, { batchSize, epochs: 1, verbose: 0, classWeight, callbacks: [callback] });
      const expected = await measureSharpness(model, { xs: inputs, ys: rows }, { classWeight });
      const unlike = await measureSharpness(model, inputs);
      expect(callback.latest!.trace / expected.trace).toBeCloseTo(1, 6);
      expect(callback.latest!.trace / unlike.trace).not.toBeCloseTo(1, 4);
      expect(callback.latest!.assumptions.join()).not.toMatch(/row/);
      tf.dispose([rows, inputs]);
    });

    it('is seen in fitDataset too', async () => {
      const callback = minimumSharpness();
      const zipped = tfd.zip({ xs: tfd.array(x.arraySync()), ys: tfd.array(y.arraySync()) });
      const dataset = zipped.batch(samples) as tfd.Dataset<tf.TensorContainer>;
      await model.fitDataset(dataset as never, { epochs: 1, verbose: 0, classWeight, callbacks: [callback] });
      const expected = await measureSharpness(model, { xs: x, ys: y }, { classWeight });
      expect(callback.latest!.trace / expected.trace).toBeCloseTo(1, 6);
    });

    it('keeps a batch with its own labels, though later ones are seen', async () => {
      const callback = minimumSharpness();
      const last = tf.tidy(() => tf.concat([tf.slice(y, 0, 4), tf.zeros([6, 2])]));
      await model.fit(x, last, { batchSize, epochs: 1, verbose: 0, shuffle: false, callbacks: [callback] });
      const [xs, ys] = [tf.slice(x, 0, 4), tf.slice(last, 0, 4)];
      const expected = await measureSharpness(model, { xs, ys });
      expect(callback.latest!.trace / expected.trace).toBeCloseTo(1, 6);
      tf.dispose([last, xs, ys]);
    });

    it('is what data with labels is measured with', async () => {
      const padded = tf.tidy(() => tf.concat([tf.slice(y, 0, 4), tf.zeros([6, 2])]));
      const callback = minimumSharpness({ data: { xs: x, ys: padded }, method: 'exact', classWeight });
      await train([callback], { epochs: 1 });
      const expected = await measureSharpness(model, x, { labels: padded, classWeight });
      expect(callback.latest!.minimumSharpness).toBe(expected.minimumSharpness);
      padded.dispose();
    });

    it('is the head alone, where the rest was frozen at compile and set free afterwards', async () => {
      model.layers[0]!.trainable = false;
      (model.optimizer as tf.Optimizer).dispose();
      model.compile({ loss: 'categoricalCrossentropy', optimizer: 'sgd' });
      model.layers[0]!.trainable = true;
      for (const options of [{}, { data: x }]) {
        const callback = minimumSharpness(options);
        await train([callback], { epochs: 1 });
        expect(callback.latest!.parameters.map(({ layer }) => layer)).toEqual(Array(2).fill(model.layers[1]!.name));
      }
    });
  });

  describe('logs', () => {
    it('has one entry an epoch: NaN at first, then the latest reading', async () => {
      const { callback, readings } = watched({ every: { epochs: 2 } });
      const history = await train([callback], { epochs: 5 });
      expect(valuesOf(history)).toEqual([Number.NaN, 1, 1, 2, 2]);
      expect(readings.length).toBe(2);
    });

    it('carries the reading of a batch', async () => {
      const { callback } = watched({ every: { batches: 2 }, name: 'ms' });
      const history = await train([callback], { epochs: 2 });
      expect(valuesOf(history, 'ms')).toEqual([1, 3]);
      expect(valuesOf(history)).toBeUndefined();
    });

    it('carries on in the next fit, but not for another model', async () => {
      const { callback } = watched({ every: { epochs: 2 } });
      const other = network();
      await train([callback], { epochs: 2 });
      expect(valuesOf(await train([callback], { epochs: 1 }))).toEqual([1]);
      expect(valuesOf(await train([callback], { epochs: 2 }, other))).toEqual([2, 2]);
      await train([callback], { epochs: 1 });
      const third = network();
      expect(valuesOf(await train([callback], { epochs: 1 }, third))).toEqual([Number.NaN]);
      expect(valuesOf(await train([callback], { epochs: 1 }, other))).toEqual([4]);
      other.dispose();
      third.dispose();
    });

    it('takes two callbacks with two names', async () => {
      const training = minimumSharpness({ data: x });
      const validation = minimumSharpness({ name: 'validationSharpness' });
      const history = await train([training, validation], { epochs: 2 });
      expect(valuesOf(history)[1]).toBe(training.latest?.minimumSharpness);
      expect(valuesOf(history, 'validationSharpness')[1]).toBe(validation.latest?.minimumSharpness);
      expect(valuesOf(history)).not.toEqual(valuesOf(history, 'validationSharpness'));
      expect(warnings()).toEqual([]);
    });

    it('says so when a name is taken, and leaves what is there', async () => {
      const first = watched();
      const second = watched();
      const loss = watched({ name: 'loss' });
      const history = await train([first.callback, second.callback, loss.callback], { epochs: 2 });
      expect(valuesOf(history)).toEqual([1, 2]);
      expect(history.history.loss.every((value) => typeof value === 'number' && value > 0 && value < 1.5)).toBe(true);
      expect(second.readings.length).toBe(2);
      expect(second.problems.map(({ kind, message }) => [kind, message])).toEqual([
        ['skipped', expect.stringContaining('already have a "minimumSharpness"')],
        ['skipped', expect.stringContaining('minimumSharpness({ name })')],
      ]);
      expect(warnings().length).toBe(2);
      // Known when training begins: fit logs it.
      expect(warnings()[0]).toContain('"loss"');
      expect(first.problems).toEqual([]);
    });
  });

  describe('streams', () => {
    it('replays the latest reading, goes on over fits and completes on dispose', async () => {
      const { callback } = watched();
      await train([callback], { epochs: 2 });
      const late: number[] = [];
      let completed = 0;
      callback.readings$.subscribe({
        next: ({ minimumSharpness }) => late.push(minimumSharpness),
        complete: () => completed++,
      });
      callback.problems$.subscribe({ complete: () => completed++ });
      expect(late).toEqual([2]);
      expect(callback.latest?.minimumSharpness).toBe(2);
      await train([callback], { epochs: 1 });
      expect(late).toEqual([2, 3]);
      expect(completed).toBe(0);
      callback.dispose();
      callback.dispose();
      expect(completed).toBe(2);
    });

    it('lets training go on when a measurement fails', async () => {
      const fault = new Error('not today');
      const { callback, fake, problems, when } = watched({ every: { batches: 1 } });
      fake.failAt = (n) => ([2, 5].includes(n) ? fault : undefined);
      const history = await train([callback], { epochs: 2 });
      expect(problems).toEqual([
        { kind: 'failed', step: 2, epoch: 0, message: 'not today', error: fault },
        { kind: 'failed', step: 5, epoch: 1, message: 'not today', error: fault },
      ]);
      expect(when().map(([step]) => step)).toEqual([1, 3, 4, 6]);
      expect(warnings()).toEqual(['tfjs-sharpness, minimumSharpness: not today']);
      expect(history.history.loss.length).toBe(2);
    });

    it('takes whatever is thrown', async () => {
      const { callback, fake, problems } = watched();
      fake.failAt = (n) => ['', 'a string'][n - 1];
      await train([callback], { epochs: 2 });
      expect(problems.map(({ message }) => message)).toEqual(['', 'a string']);
    });

    it('lets training go on when subscribers throw', async () => {
      const { callback, problems } = watched();
      callback.readings$.subscribe(() => {
        throw new Error('no plot today');
      });
      callback.problems$.subscribe(() => {
        throw new Error('no log today');
      });
      const history = await train([callback], { epochs: 2 });
      expect(problems.map(({ kind, message }) => [kind, message])).toEqual(
        Array(2).fill(['failed', 'a subscriber to readings$ threw: no plot today']),
      );
      expect(warnings().join('\n')).toMatch(/no plot today\n.*no log today$/);
      expect(valuesOf(history)).toEqual([1, 2]);
    });

    it('reports what only the model tells', async () => {
      const wrongShape = tf.zeros([3, 5]);
      const callbacks = [
        minimumSharpness({ data: wrongShape }),
        minimumSharpness({ data: x, name: 'loss function', loss: 'binaryCrossentropy' }),
      ];
      const problems: Problem[] = [];
      for (const callback of callbacks) {
        callback.problems$.subscribe((problem) => problems.push(problem));
      }
      const history = await train(callbacks, { epochs: 2 });
      wrongShape.dispose();
      // When training begins, and in both epochs.
      expect(problems.map(({ kind, step }) => [kind, step])).toEqual(
        [0, 0, 3, 3, 6, 6].map((step) => ['failed', step]),
      );
      for (const { message, error } of problems) {
        expect(message).toMatch(/^[^\n]+$/);
        expect(error).toBeInstanceOf(Error);
      }
      expect(warnings().length).toBe(2);
      expect(valuesOf(history)).toEqual([Number.NaN, Number.NaN]);
    });
  });

  describe('when training begins', () => {
    /** What the problems were when the first batch began, and in all. */
    async function begun(options: MinimumSharpnessOptions, args: tfl.ModelFitArgs = {}) {
      const callback = minimumSharpness(options);
      const problems: Problem[] = [];
      callback.problems$.subscribe((problem) => problems.push(problem));
      let atFirst: Problem[] | undefined;
      const onBatchBegin = async () => {
        atFirst ??= [...problems];
      };
      const history = await train([callback, new tfl.CustomCallback({ onBatchBegin })], {
        epochs: 1,
        ...args,
      });
      callback.dispose();
      return { atFirst: (atFirst ?? []).map(({ message }) => message), problems, history };
    }

    it.each<[string, () => MinimumSharpnessOptions, RegExp]>([
      ['data of a wrong shape', () => ({ data: tf.zeros([3, 5]) }), /shape \[3, 5\]/],
      ['data with a NaN', () => ({ data: tf.tensor2d([[1, Number.NaN]]) }), /NaN/],
      ['disposed data', () => ({ data: disposed() }), /disposed/],
      [
        'labels that do not fit',
        () => ({ data: { xs: tf.zeros([3, 2]), ys: tf.zeros([2, 2]) } }),
        /labels .* 2 rows for 3 samples/,
      ],
      [
        'labels under another name',
        () => ({ data: { xs: tf.zeros([3, 2]), y: tf.zeros([3, 2]) } as never }),
        /no option 'y'/,
      ],
      ['inputs under another name', () => ({ data: { pixels: tf.zeros([3, 2]) } }), /Input '.*' is missing/],
      ['sample weights that do not fit', () => ({ data: tf.zeros([3, 2]), sampleWeight: [1] }), /sampleWeight/],
      ['a loss that does not fit the model', () => ({ data: tf.zeros([3, 2]), loss: 'binaryCrossentropy' }), /softmax/],
      [
        'a loss that does not fit the model, with a dataset',
        () => ({ data: tfd.array([[1, 2]]).batch(1), loss: 'binaryCrossentropy' }),
        /softmax/,
      ],
    ])('says %s in one line', async (_, options, message) => {
      const given = options();
      const { atFirst, problems } = await begun(given);
      expect(atFirst).toEqual([expect.stringMatching(message)]);
      expect(atFirst[0]).not.toContain('\n');
      expect(problems[0]).toMatchObject({ kind: 'failed', step: 0, epoch: 0, error: expect.any(Error) });
      tf.dispose(given.data as tf.TensorContainer);
    });

    it('says a name that fit logs something under', async () => {
      for (const name of ['loss', 'val_loss']) {
        const { atFirst } = await begun({ name, data: x }, { validationData: [x, y] });
        expect(atFirst).toEqual([expect.stringContaining(`already have a "${name}"`)]);
      }
      expect((await begun({ name: 'val_loss', data: x })).problems).toEqual([]);
    });

    it('says nothing of what is right, nor of a signal that was aborted', async () => {
      expect((await begun({ data: x })).problems).toEqual([]);
      expect((await begun({})).problems).toEqual([]);
      const { atFirst } = await begun({ data: x, signal: AbortSignal.abort() });
      expect(atFirst).toEqual([]);
    });

    it('reads nothing of a dataset', async () => {
      const next = vi.fn(async () => ({ done: true, value: null }));
      const iterator = vi.fn(async () => ({ next }));
      const { atFirst } = await begun({ data: { iterator } as never });
      expect(atFirst).toEqual([]);
      expect(iterator).toHaveBeenCalledTimes(1);
    });
  });

  it('serves a runtime whose signals are bare, with { overhead } and a signal of the user too', async () => {
    const { any } = AbortSignal;
    const { throwIfAborted } = AbortSignal.prototype;
    try {
      for (const name of ['any', 'timeout', 'abort'] as const) {
        vi.spyOn(AbortSignal, name).mockImplementation(() => {
          throw new TypeError(`AbortSignal.${name} is not a function`);
        });
      }
      Reflect.deleteProperty(AbortSignal, 'any');
      Reflect.deleteProperty(AbortSignal.prototype, 'throwIfAborted');
      const controller = new AbortController();
      for (const every of [{ epochs: 1 }, { batches: 1 }, { overhead: 0.99 }]) {
        const sharpness = minimumSharpness({ data: x, every, signal: controller.signal });
        const problems: Problem[] = [];
        sharpness.problems$.subscribe((problem) => problems.push(problem));
        await train([slow(), sharpness], { epochs: 2 });
        expect(problems.filter(({ kind }) => kind === 'failed')).toEqual([]);
        expect(sharpness.latest?.minimumSharpness).toBeGreaterThan(0);
        sharpness.dispose();
      }
      controller.abort();
      await expect(measureSharpness(model, x, { signal: controller.signal })).rejects.toThrow(/abort/);
    } finally {
      AbortSignal.any = any;
      AbortSignal.prototype.throwIfAborted = throwIfAborted;
    }
  });

  it('lets training go on when what is async rejects, and says so', async () => {
    const { callback, problems } = watched();
    const reject = async () => {
      await undefined;
      throw new Error('no database today');
    };
    callback.readings$.subscribe(reject);
    callback.logs$.subscribe({ next: reject });
    callback.readings$.pipe(concatMap(reject)).subscribe();
    callback.problems$.subscribe(reject);
    const history = await train([callback], { epochs: 2 });
    const [reading, logs] = ['readings', 'logs'].map((name) => `a subscriber to ${name}$ threw: no database today`);
    expect(problems.map(({ message }) => message).sort()).toEqual([logs, logs, reading, reading, reading]);
    expect(valuesOf(history)).toEqual([1, 2]);
  });

  it.each([{ epochs: 1 }, { overhead: 0.99 }])(
    'lets training go on when an async onProgress rejects, and says so, every %o',
    async (every) => {
      const onProgress = async () => {
        await undefined;
        throw new Error('no progress today');
      };
      const sharpness = minimumSharpness({ data: x, every, onProgress });
      const messages: string[] = [];
      sharpness.problems$.subscribe(({ kind, message }) => kind === 'failed' && messages.push(message));
      const history = await train([slow(), sharpness], { epochs: 2 });
      expect(new Set(messages)).toEqual(new Set(['no progress today']));
      expect(valuesOf(history)).toEqual([Number.NaN, Number.NaN]);
      sharpness.dispose();
    },
  );

  describe('dispose', () => {
    const untouched = (trained: tfl.Sequential) =>
      trained.layers.every((layer) => !Object.hasOwn(layer, 'apply')) &&
      Object.getOwnPropertyDescriptor(trained.outputs[0], 'inputs')?.get === undefined;

    it('during training stops measuring and lets training go on', async () => {
      const { callback, when, fake } = watched({ every: { batches: 1 } });
      callback.readings$.subscribe(({ step }) => {
        if (step === 2) {
          callback.dispose();
        }
      });
      const history = await train([callback], { epochs: 3 });
      expect(when().length).toBe(2);
      expect(fake.inputs.length).toBe(2);
      expect(history.epoch).toEqual([0, 1, 2]);
      expect(valuesOf(history)).toEqual([2, 2, 2]);
      expect(untouched(model)).toBe(true);
    });

    it.each([
      ['rejects then', new Error('aborted')],
      ['does not care', undefined],
    ])('during a measurement that %s leaves no trace of it', async (_, outcome) => {
      const { callback, fake, readings, problems } = watched();
      fake.failAt = (n) => {
        if (n === 2) {
          callback.dispose();
        }
        return n === 2 ? outcome : undefined;
      };
      const history = await train([callback], { epochs: 3 });
      expect(readings.length).toBe(1);
      expect(callback.latest).toBe(readings[0]);
      expect(problems).toEqual([]);
      expect(warnings()).toEqual([]);
      expect(valuesOf(history)).toEqual([1, 1, 1]);
    });

    it.each([undefined, new AbortController().signal])(
      'aborts the measurement itself, beside signal %s',
      async (signal) => {
        let chunks = 0;
        const callback = minimumSharpness({
          data: x,
          memoryMB: 0.0005,
          signal,
          onProgress: () => chunks++ || callback.dispose(),
        });
        await train([callback], { epochs: 1 });
        expect(callback.latest).toBeUndefined();
        expect(chunks).toBe(1);
        expect(warnings()).toEqual([]);
      },
    );

    it('is said when the callback is used again', async () => {
      const { callback, fake } = watched();
      callback.dispose();
      await train([callback], { epochs: 1 });
      await train([callback], { epochs: 1 });
      expect(warnings()).toEqual([expect.stringContaining('was disposed')]);
      expect(fake.inputs).toEqual([]);
      expect(untouched(model)).toBe(true);
    });

    it('is not needed to free anything after a fit', async () => {
      const { callback } = watched({ every: { batches: 2 } });
      await train([callback], { epochs: 1 });
      expect(untouched(model)).toBe(true);
      expect(tf.memory().numTensors).toBe(tensorsBefore);
    });

    describe('after a fit that threw', () => {
      async function failingFit(callback: tfl.Callback) {
        const failing = new tfl.CustomCallback({
          onBatchBegin: async (batch) => {
            if (batch === 1) {
              throw new Error('out of batches');
            }
          },
        });
        const before = tf.memory().numTensors;
        await expect(train([failing], { epochs: 1 })).rejects.toThrow('out of batches');
        const leakOfTfjs = tf.memory().numTensors - before;
        await expect(train([callback, failing], { epochs: 1 })).rejects.toThrow('out of batches');
        tensorsBefore += 2 * leakOfTfjs;
        // One batch, with its labels and weights.
        expect(tf.memory().numTensors).toBe(tensorsBefore + 3);
        expect(untouched(model)).toBe(false);
      }

      it('restores the model and frees every tensor', async () => {
        const { callback } = watched();
        await failingFit(callback);
        callback.dispose();
        expect(untouched(model)).toBe(true);
        expect(tf.memory().numTensors).toBe(tensorsBefore);
      });

      it('so does the next fit', async () => {
        const { callback, when } = watched();
        await failingFit(callback);
        const other = network();
        const tensorsOfOther = tf.memory().numTensors - tensorsBefore - 3;
        tensorsBefore += tensorsOfOther;
        await train([callback], { epochs: 1 }, other);
        expect(untouched(model)).toBe(true);
        expect(untouched(other)).toBe(true);
        expect(tf.memory().numTensors).toBe(tensorsBefore);
        // One batch ended before the failure.
        expect(when()).toEqual([[4, 0]]);
        other.dispose();
        tensorsBefore -= tensorsOfOther;
      });
    });
  });

  it('reads for whoever tells it what happens, from setModel on', async () => {
    const { callback, fake } = watched({ data: x });
    callback.setModel(model);
    await callback.onBatchEnd(0);
    const logs: tfl.Logs = {};
    await callback.onEpochEnd(0, logs);
    expect(fake.models).toEqual([model]);
    expect(logs).toEqual({ minimumSharpness: 1 });
  });

  it('says that two fits at the same time are too many', async () => {
    const { callback, problems } = watched();
    const other = network();
    await Promise.all([train([callback], { epochs: 1 }), train([callback], { epochs: 1 }, other)]);
    other.dispose();
    expect(problems[0].message).toContain('make one for each');
  });

  it('reads nothing in two fits at the same time, says so in one line, and goes on with the one that is left', async () => {
    for (const options of [{}, { data: x }]) {
      const { callback, problems, fake, when } = watched(options);
      const other = network();
      const [short, long] = await Promise.all([
        train([callback], { epochs: 2 }, other),
        train([callback], { epochs: 6 }),
      ]);
      expect(problems).toHaveLength(1);
      expect(valuesOf(short)).toEqual([Number.NaN, Number.NaN]);
      const values = valuesOf(long) as number[];
      expect(values).toHaveLength(6);
      expect(values.slice(0, 2)).toEqual([Number.NaN, Number.NaN]);
      expect(values.slice(3)).toEqual([values[3], values[3]! + 1, values[3]! + 2]);
      const fitted = (model as unknown as { model: tfl.LayersModel }).model;
      expect(fake.models.every((each) => each === fitted)).toBe(true);
      // And then as ever.
      await train([callback], { epochs: 1 }, other);
      expect(when().at(-1)).toEqual([6 + 18 + 3, 0]);
      expect(warnings().filter((line) => line.includes('two fits'))).toHaveLength(options.data ? 2 : 1);
      other.dispose();
    }
  });

  it('says that it was told to abort', async () => {
    const controller = new AbortController();
    const callback = minimumSharpness({ data: x, signal: controller.signal });
    const problems: Problem[] = [];
    callback.problems$.subscribe((problem) => problems.push(problem));
    await train([callback], { epochs: 1 });
    controller.abort();
    await train([callback], { epochs: 1 });
    expect(callback.latest?.step).toBe(3);
    expect(problems.map(({ kind, step }) => [kind, step])).toEqual([['skipped', 6]]);
  });

  it('says when no minibatch was seen', async () => {
    const [a, b] = [tfl.input({ shape: [2] }), tfl.input({ shape: [2], name: 'lonely' })];
    const lonely = tfl.model({
      inputs: [a, b],
      outputs: [tfl.layers.dense({ units: 2 }).apply(a) as tfl.SymbolicTensor, b],
    });
    lonely.compile({ loss: 'meanSquaredError', optimizer: 'sgd' });
    const { callback, problems } = watched();
    const history = await lonely.fit([x, x], [y, y], { epochs: 1, verbose: 0, callbacks: [callback] });
    lonely.dispose();
    expect(problems[0].message).toContain('pass { data }');
    expect(valuesOf(history)).toEqual([Number.NaN]);
  });

  it('recommends data once', async () => {
    vi.resetModules();
    const { minimumSharpness: fresh } = await import('../../src/training/minimum-sharpness.js');
    await train([fresh({ data: x })], { epochs: 1 });
    expect(info).not.toHaveBeenCalled();
    await train([fresh()], { epochs: 1 });
    await train([fresh()], { epochs: 1 });
    expect(info.mock.calls).toEqual([[expect.stringContaining('minimumSharpness({ data: xTrain })')]]);
  });
});
