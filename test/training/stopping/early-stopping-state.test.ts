import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { minimumSharpness } from '../../../src/training/minimum-sharpness.js';
import { earlyStopping } from '../../../src/training/stopping/early-stopping.js';
import type { EarlyStoppingOptions } from '../../../src/training/stopping/stopping-options.js';
import type { StoppingState } from '../../../src/training/stopping/stopping-state.js';

/** What a run leaves on the disk when it is cut off. */
interface Saved {
  readonly state: StoppingState;
  readonly weights: Float32Array[];
  readonly bestWeights?: Float32Array[];
}

describe('a training that goes on after a restart', () => {
  let warn: MockInstance<typeof console.warn>;
  let x: tf.Tensor2D;
  let y: tf.Tensor;
  let tensorsBefore: number;

  beforeEach(() => {
    warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    vi.spyOn(console, 'info').mockImplementation(() => {});
    x = tf.randomNormal([12, 3], 0, 1, 'float32', 1);
    y = tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d([0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0], 'int32'), 2), 'float32'));
    tensorsBefore = tf.memory().numTensors;
  });
  afterEach(() => {
    vi.restoreAllMocks();
    expect(tf.memory().numTensors).toBe(tensorsBefore);
    tf.dispose([x, y]);
  });

  /** A process of its own: a model with the weights that were saved, if any were. */
  async function run(
    values: readonly number[],
    options: Partial<EarlyStoppingOptions>,
    from: number,
    to: number,
    saved?: Saved,
  ) {
    const initializer = (seed: number) => tfl.initializers.heNormal({ seed });
    const model = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 4, inputShape: [3], activation: 'relu', kernelInitializer: initializer(1) }),
        tfl.layers.batchNormalization(),
        tfl.layers.dense({ units: 2, activation: 'softmax', kernelInitializer: initializer(2) }),
      ],
    });
    const optimizer = tf.train.sgd(0.1);
    model.compile({ loss: 'categoricalCrossentropy', optimizer });
    const tensors = (of: readonly Float32Array[]) =>
      of.map((each, i) => tf.tensor(each, model.weights[i]!.shape as number[]));
    const arrays = (of: readonly tf.Tensor[]) => of.map((each) => each.dataSync().slice() as Float32Array);
    if (saved) {
      const given = tensors(saved.weights);
      model.setWeights(given);
      tf.dispose(given);
    }
    const best = saved?.bestWeights && tensors(saved.bestWeights);
    const stopping = earlyStopping({
      monitor: 'value',
      ...options,
      ...(saved && { state: JSON.parse(JSON.stringify(saved.state)) as StoppingState }),
      ...(best && { bestWeights: best }),
    });
    const scripted = new (class extends tfl.Callback {
      override async onEpochEnd(epoch: number, logs: tfl.Logs) {
        logs.value = values[epoch]!;
      }
    })();
    const checkpoints: Saved[] = [];
    const saving = new (class extends tfl.Callback {
      override async onEpochEnd() {
        checkpoints.push({
          state: stopping.state,
          weights: arrays(model.getWeights()),
          ...(stopping.bestWeights && { bestWeights: arrays(stopping.bestWeights) }),
        });
      }
    })();
    const callbacks = [scripted, stopping, saving];
    const args = { initialEpoch: from, epochs: to, batchSize: 4, shuffle: false, verbose: 0, callbacks };
    const { epoch } = await model.fit(x, y, args);
    const weights = arrays(model.getWeights());
    tf.dispose(best ?? []);
    optimizer.dispose();
    model.dispose();
    return { epochs: epoch, stopping, weights, checkpoints };
  }

  const values = [5, 4, 3, 3.5, 3.4, 3.3, 3.2, 2.5, 2.6, 2.7, 2.8, 2.9];

  it.each<[string, Partial<EarlyStoppingOptions>]>([
    ['patience', { patience: 6 }],
    ['the best weights', { patience: 6, restoreBestWeights: true }],
    ['smoothing', { patience: 4, smoothing: 0.5, restoreBestWeights: true }],
    ['the epoch before', { when: 'worsensAsLossFalls', patience: 2, restoreBestWeights: true }],
    ['a baseline', { patience: 3, baseline: 1 }],
    ['the guard on the loss', { patience: 6, lossMargin: 0.25, restoreBestWeights: true }],
    ['a negative size', { patience: 2, minDelta: -0.3 }],
  ])('is as if it had never been cut off, wherever that was: %s', async (_, options) => {
    const whole = await run(values, options, 0, 12);
    for (let cut = 1; cut < whole.epochs.length; cut++) {
      const first = await run(values, options, 0, cut);
      const second = await run(values, options, cut, 12, first.checkpoints.at(-1));
      const of = ({ stopping }: typeof whole) => [stopping.best, stopping.bestEpoch, stopping.stoppedEpoch];
      expect(of(second), `cut after ${cut} epochs`).toEqual(of(whole));
      expect(second.weights, `cut after ${cut} epochs`).toEqual(whole.weights);
      expect(second.stopping.state).toEqual(whole.stopping.state);
    }
    expect(warn.mock.calls.filter(([line]) => `${line}`.includes('earlyStopping'))).toEqual([]);
  });

  // https://github.com/Lightning-AI/pytorch-lightning/issues/1463: waiting and best value were lost when training went on.
  it('knows how long it has waited, and the best value, when training begins', async () => {
    const first = await run([1, 2, 3, 4], { patience: 5 }, 0, 3);
    const second = await run([1, 2, 3, 4, 5, 6, 7, 8, 9], { patience: 5 }, 3, 9, first.checkpoints.at(-1));
    expect(second.epochs).toEqual([3, 4, 5]);
    expect(second.stopping.best).toBe(1);
    expect(second.stopping.bestEpoch).toBe(0);
  });

  // https://github.com/Lightning-AI/pytorch-lightning/issues/1464: what was saved at the end of an epoch was of the epoch before.
  it('has in its state the epoch that has just ended', async () => {
    const { checkpoints } = await run([3, 2, 4, 4], { patience: 9 }, 0, 4);
    const of = checkpoints.map(({ state }) => JSON.parse(JSON.stringify(state)).rule);
    expect(of.map(({ best }) => best.epoch)).toEqual([0, 1, 1, 1]);
    expect(of.map(({ waiting }) => waiting.wait)).toEqual([0, 0, 1, 2]);
  });

  // https://github.com/Lightning-AI/pytorch-lightning/issues/18727: the best value was never replaced after going on.
  it('finds better values after going on', async () => {
    const first = await run([5, 4], { patience: 3 }, 0, 2);
    const second = await run([5, 4, 3, 2, 1], { patience: 3 }, 2, 5, first.checkpoints.at(-1));
    expect(second.stopping.best).toBe(1);
    expect(second.stopping.bestEpoch).toBe(4);
  });

  it('puts back the weights of before the restart', async () => {
    const options = { patience: 3, restoreBestWeights: true };
    const first = await run([5, 1, 4], options, 0, 3);
    const second = await run([5, 1, 4, 4, 4, 4], options, 3, 6, first.checkpoints.at(-1));
    expect(second.epochs).toEqual([3, 4]);
    expect(second.weights).toEqual(first.checkpoints[1]!.weights);
  });

  it('can go on from a fit that has ended', async () => {
    const first = await run([5, 4, 6], { patience: 9 }, 0, 3);
    expect(first.stopping.state).toEqual(first.checkpoints.at(-1)!.state);
  });

  it('the state of a stopped training says so, and going on needs an improvement', async () => {
    const first = await run([1, 2, 3], { patience: 2 }, 0, 9);
    expect(first.stopping.state.stoppedEpoch).toBe(2);
    const worse = await run([1, 2, 3, 4, 5], { patience: 2 }, 3, 5, first.checkpoints.at(-1));
    expect(worse.epochs).toEqual([3]);
    const better = await run([1, 2, 3, 0, 4], { patience: 2 }, 3, 5, first.checkpoints.at(-1));
    expect(better.epochs).toEqual([3, 4]);
  });

  it('is refused without the weights that are to be put back', async () => {
    const first = await run([5, 4], { patience: 3, restoreBestWeights: true }, 0, 2);
    const { state } = first.checkpoints.at(-1)!;
    expect(() => earlyStopping({ monitor: 'value', restoreBestWeights: true, state })).toThrow(
      /^state has a best value, of epoch 1 counted from 0, whose weights are to be put back: pass them as bestWeights\.$/,
    );
  });

  it('says in one line that weights are those of another model', async () => {
    const first = await run([5, 4], { patience: 3, restoreBestWeights: true }, 0, 2);
    const saved = first.checkpoints.at(-1)!;
    const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [3] })] });
    const optimizer = tf.train.sgd(0);
    model.compile({ loss: 'meanSquaredError', optimizer });
    const wrong = [tf.zeros([3, 1]), tf.zeros([1])];
    const { state } = saved;
    const stopping = earlyStopping({
      monitor: 'loss',
      restoreBestWeights: true,
      bestWeights: wrong,
      state: { ...state, monitor: 'loss' },
    });
    await model.fit(x, y, { epochs: 1, verbose: 0, callbacks: [stopping] });
    expect(warn.mock.calls.map(([line]) => `${line}`).find((line) => line.includes('earlyStopping'))).toBe(
      'tfjs-sharpness, earlyStopping: bestWeights: weights of the shapes [3, 2], [2] are wanted, as model.getWeights() has them, but they ' +
        'are [3, 1], [1].',
    );
    tf.dispose(wrong);
    optimizer.dispose();
    model.dispose();
  });

  it('only the first fit goes on; the next begins anew', async () => {
    const { stopping } = await run([5, 4], { patience: 9 }, 0, 2);
    const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [3] })] });
    const optimizer = tf.train.sgd(0.01);
    model.compile({ loss: 'meanSquaredError', optimizer });
    const going = earlyStopping({ monitor: 'loss', patience: 9, state: { ...stopping.state, monitor: 'loss' } });
    expect(going.best).toBe(4);
    await model.fit(x, y, { epochs: 1, verbose: 0, callbacks: [going] });
    await model.fit(x, y, { epochs: 1, verbose: 0, callbacks: [going] });
    expect(going.bestEpoch).toBe(0);
    optimizer.dispose();
    model.dispose();
  });

  it('restore() puts the best weights back after a fit that threw', async () => {
    const model = tfl.sequential({
      layers: [tfl.layers.dense({ units: 2, inputShape: [3], kernelInitializer: 'zeros' })],
    });
    const optimizer = tf.train.sgd(0.01);
    model.compile({ loss: 'meanSquaredError', optimizer });
    const weights = () => model.weights.map((weight) => weight.read().dataSync().slice());
    const seen: ReturnType<typeof weights>[] = [];
    const stopping = earlyStopping({ monitor: 'value', patience: 9, restoreBestWeights: true });
    const failing = new (class extends tfl.Callback {
      override async onEpochEnd(epoch: number, logs: tfl.Logs) {
        logs.value = [3, 1, 2, 2][epoch]!;
        seen.push(weights());
      }
      override async onEpochBegin(epoch: number) {
        if (epoch === 3) {
          throw new Error('no more');
        }
      }
    })();
    expect(stopping.restore()).toBe(false);
    await expect(model.fit(x, y, { epochs: 4, verbose: 0, callbacks: [failing, stopping] })).rejects.toThrow('no more');
    expect(weights()).toEqual(seen[2]);
    const left = tf.memory().numTensors; // with what tf.js itself leaves of an epoch that throws
    expect(stopping.restore()).toBe(true);
    expect(tf.memory().numTensors).toBe(left - model.weights.length);
    expect(weights()).toEqual(seen[1]);
    expect(seen[1]).not.toEqual(seen[2]);
    expect(stopping.restore()).toBe(false);
    expect(stopping.bestWeights).toBeUndefined();
    tensorsBefore = left - model.weights.length;
    const own = model.weights.length + 1; // its rate
    optimizer.dispose();
    model.dispose();
    tensorsBefore -= own;
  });

  // https://github.com/keras-team/keras/issues/20323: the loss of an epoch is not that of the weights at its end.
  it('puts back the weights at the end of the best epoch, of which Minimum Sharpness is measured', async () => {
    const model = tfl.sequential({
      layers: [tfl.layers.dense({ units: 2, inputShape: [3], activation: 'softmax', kernelInitializer: 'zeros' })],
    });
    const optimizer = tf.train.sgd(0.5);
    model.compile({ loss: 'categoricalCrossentropy', optimizer });
    const sharpness = minimumSharpness({ data: x });
    const stopping = earlyStopping({ monitor: 'minimumSharpness', patience: 9, restoreBestWeights: true });
    await model.fit(x, y, { epochs: 6, batchSize: 4, shuffle: false, verbose: 0, callbacks: [sharpness, stopping] });
    const again = minimumSharpness({ data: x });
    optimizer.setLearningRate(0);
    await model.fit(x, y, { epochs: 1, verbose: 0, callbacks: [again] });
    expect(again.latest!.minimumSharpness / stopping.best!).toBeCloseTo(1, 5);
    sharpness.dispose();
    again.dispose();
    optimizer.dispose();
    model.dispose();
  });

  // https://github.com/Bjarten/early-stopping-pytorch/issues/16: NaN passed for an improvement, and was saved as the best model.
  it('never takes a NaN after a restart for the best', async () => {
    const first = await run([3, Number.NaN], { patience: 9 }, 0, 2);
    const second = await run([3, Number.NaN, Number.NaN, 5], { patience: 9 }, 2, 4, first.checkpoints.at(-1));
    expect(second.stopping.best).toBe(3);
  });
});
