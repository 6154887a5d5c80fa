import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { mnistDigits } from '../../../examples/shared/mnist-images.js';
import { minimumSharpness } from '../../../src/training/minimum-sharpness.js';
import { earlyStopping } from '../../../src/training/stopping/early-stopping.js';
import type { EarlyStoppingOptions } from '../../../src/training/stopping/stopping-options.js';

const classes = 4;

/** Points around four corners, which a small network learns in a few epochs. */
function corners(count: number) {
  return tf.tidy(() => {
    const which = tf.tensor1d(
      Array.from({ length: count }, (_, i) => i % classes),
      'int32',
    );
    const centers = tf.tensor2d([2, 2, -2, 2, 2, -2, -2, -2], [4, 2]);
    const x = tf.add(tf.gather(centers, which), tf.randomNormal([count, 2], 0, 0.6, 'float32', 5));
    return [x, tf.cast(tf.oneHot(which, classes), 'float32')] as const;
  });
}

describe('the guard on the loss', () => {
  let warn: MockInstance<typeof console.warn>;
  let x: tf.Tensor;
  let y: tf.Tensor;
  let model: tfl.Sequential;
  let optimizer: tf.SGDOptimizer;
  let tensorsBefore: number;
  /** All weights at the end of every epoch. */
  let seen: Float32Array[][];

  const weights = () => model.weights.map((weight) => weight.read().dataSync().slice() as Float32Array);
  const warnings = () => warn.mock.calls.map(([line]) => String(line)).filter((line) => line.includes('earlyStopping'));

  beforeEach(() => {
    warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    vi.spyOn(console, 'info').mockImplementation(() => {});
    [x, y] = corners(32);
    const initializer = (seed: number) => tfl.initializers.heNormal({ seed });
    model = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 8, inputShape: [2], activation: 'relu', kernelInitializer: initializer(1) }),
        tfl.layers.dense({ units: classes, activation: 'softmax', kernelInitializer: initializer(2) }),
      ],
    });
    optimizer = tf.train.sgd(0.2);
    model.compile({ loss: 'categoricalCrossentropy', optimizer, metrics: ['accuracy'] });
    seen = [];
    tensorsBefore = tf.memory().numTensors;
  });
  afterEach(() => {
    vi.restoreAllMocks();
    expect(tf.memory().numTensors).toBe(tensorsBefore);
    optimizer.dispose();
    model.dispose();
    tf.dispose([x, y]);
  });

  /** Breaks the network: weights so large that every output is saturated, and most are wrong. */
  function breakDown() {
    tf.tidy(() => {
      for (const weight of model.weights) {
        const variable = weight.read() as tf.Variable;
        variable.assign(tf.mul(tf.randomNormal(variable.shape, 0, 1, 'float32', 3), 1000));
      }
    });
  }

  /** After a batch of an epoch, both zero-based. */
  const breakingAt = (inEpoch: number, afterBatch: number) =>
    new (class extends tfl.Callback {
      #epoch = 0;
      override async onEpochBegin(epoch: number) {
        this.#epoch = epoch;
      }
      override async onBatchEnd(batch: number) {
        if (this.#epoch === inEpoch && batch === afterBatch) {
          breakDown();
        }
      }
    })();

  class Noting extends tfl.Callback {
    override async onEpochEnd() {
      seen.push(weights());
    }
  }

  async function train(options: Partial<EarlyStoppingOptions>, before: tfl.Callback[] = [], epochs = 14) {
    const sharpness = minimumSharpness({ data: x });
    const stopping = earlyStopping({ monitor: 'minimumSharpness', ...options });
    const { history } = await model.fit(x, y, {
      epochs,
      batchSize: 8, // 4 batches
      shuffle: false,
      verbose: 0,
      callbacks: [...before, sharpness, new Noting(), stopping],
    });
    sharpness.dispose();
    return { stopping, history: history as Record<string, number[]> };
  }

  const cases: [string, number][] = [
    ['in the middle of an epoch', 1],
    ['in its last step', 3],
  ];
  it.each(cases)('puts a good epoch back where a run breaks down %s', async (_, batch) => {
    const options = { startFromEpoch: 3, restoreBestWeights: true, patience: 4 };
    const { stopping, history } = await train(options, [breakingAt(7, batch)]);
    // What it is about: the broken network is the flattest, and its loss is not low.
    expect(history.minimumSharpness![7]).toBeLessThan(1e-3);
    expect(history.loss![8]).toBeGreaterThan(5);
    expect(stopping.bestEpoch).toBe(6);
    expect(stopping.stoppedEpoch).toBe(10);
    expect(weights()).toEqual(seen[6]);
    expect(history.acc![6]).toBeGreaterThan(0.9);
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toMatch(/(epoch 8 is far above|right after epoch 8)[^\n]*$/);
  });

  it('can be turned off', async () => {
    const options = { startFromEpoch: 3, restoreBestWeights: true, patience: 4, lossMargin: false as const };
    const { stopping } = await train(options, [breakingAt(7, 1)]);
    expect(stopping.bestEpoch).toBe(7);
    expect(warnings()).toEqual([]);
  });

  it('is for Minimum Sharpness, and for other fields where it is asked for', async () => {
    const field = (value: number) =>
      new (class extends tfl.Callback {
        override async onEpochEnd(epoch: number, logs: tfl.Logs) {
          logs.flatness = epoch >= 7 ? 0 : value - epoch;
        }
      })();
    const options = { monitor: 'flatness', patience: 9, restoreBestWeights: true };
    expect((await train(options, [field(50), breakingAt(7, 1)])).stopping.bestEpoch).toBe(7);
  });

  it.each([2, 50, 1e6])('calls no epoch the best with a learning rate of %f, on digits', async (rate) => {
    const initializer = (seed: number) => tfl.initializers.heNormal({ seed });
    const network = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 32, inputShape: [784], activation: 'relu', kernelInitializer: initializer(10) }),
        tfl.layers.dense({ units: 16, activation: 'relu', kernelInitializer: initializer(11) }),
        tfl.layers.dense({ units: 10, activation: 'softmax', kernelInitializer: initializer(12) }),
      ],
    });
    optimizer.setLearningRate(rate);
    network.compile({ loss: 'categoricalCrossentropy', optimizer, metrics: ['accuracy'] });
    const { images, labels } = mnistDigits('train', 96);
    const sharpness = minimumSharpness({ data: images });
    const stopping = earlyStopping({ monitor: 'minimumSharpness', restoreBestWeights: true, patience: 1 });
    const args = { epochs: 2, batchSize: 16, shuffle: false, verbose: 0, callbacks: [sharpness, stopping] };
    const { history } = await network.fit(images, labels, args);
    expect(Math.min(...(history.loss as number[]))).toBeGreaterThan(9);
    expect(Math.max(...(history.minimumSharpness as number[]))).toBeLessThan(1e-3);
    expect(stopping.best).toBeUndefined();
    expect(stopping.bestEpoch).toBeUndefined();
    expect(stopping.stoppedEpoch).toBeUndefined();
    expect(warnings()).toEqual([
      expect.stringMatching(/epoch 1 is far above that of the first batch.*nothing is judged/),
    ]);
    sharpness.dispose();
    network.dispose();
    tf.dispose([images, labels]);
  });

  it('leaves a sound training alone: the best is the flattest of those with a similar loss', async () => {
    const { stopping, history } = await train({ restoreBestWeights: true, patience: 99 });
    const similar = history.loss!.map((loss) => loss <= Math.min(...history.loss!) + 0.1 * history.loss![0]!);
    const flattest = Math.min(...history.minimumSharpness!.filter((_, i) => similar[i]));
    expect(similar).toContain(false);
    expect(stopping.best).toBe(flattest);
    expect(weights()).toEqual(seen[stopping.bestEpoch!]);
    expect(warnings()).toEqual([]);
  });

  it('does not end a slow training that has only begun', async () => {
    const start = model.getWeights().map((weight) => tf.clone(weight));
    optimizer.setLearningRate(0.01);
    // MS is lowest at the beginning, and rises as long as the network learns.
    const { history } = await train({ patience: 3, lossMargin: false }, [], 20);
    expect(history.loss!.length).toBe(4);
    expect(history.minimumSharpness!.at(-1)).toBeGreaterThan(history.minimumSharpness![0]!);
    model.setWeights(start);
    tf.dispose(start);
    const { history: guarded } = await train({ patience: 3 }, [], 20);
    expect(guarded.loss!.length).toBeGreaterThan(8);
  });

  it.each(['readings after every batch', 'readings after every epoch'])('works with %s', async (when) => {
    const sharpness = minimumSharpness({ data: x, every: when.includes('batch') ? { batches: 1 } : { epochs: 1 } });
    const stopping = earlyStopping({ readings: sharpness, restoreBestWeights: true, patience: 12 });
    await model.fit(x, y, {
      epochs: 14,
      batchSize: 8,
      shuffle: false,
      verbose: 0,
      callbacks: [breakingAt(7, 1), sharpness, new Noting(), stopping],
    });
    sharpness.dispose();
    expect(stopping.bestEpoch).toBeLessThanOrEqual(7);
    expect(stopping.best).toBeGreaterThan(0.01);
    const [loss, accuracy] = model.evaluate(x, y, { verbose: 0 }) as tf.Scalar[];
    expect(accuracy!.dataSync()[0]).toBeGreaterThan(0.9);
    tf.dispose([loss!, accuracy!]);
    expect(warnings()).toHaveLength(1);
  });

  describe('a loss that is no number', () => {
    // Cross-entropy clips what the network gives, and on wasm a NaN becomes a probability of 0 by that, with a high loss.
    beforeEach(() => model.compile({ loss: 'meanSquaredError', optimizer, metrics: ['accuracy'] }));

    const poisoning = (inEpoch: number) =>
      new (class extends tfl.Callback {
        override async onEpochEnd(epoch: number) {
          if (epoch === inEpoch) {
            tf.tidy(() => {
              const variable = model.weights[2]!.read() as tf.Variable;
              variable.assign(tf.fill(variable.shape, Number.NaN));
            });
          }
        }
      })();

    it('ends training at once, with one line, and the best weights come back', async () => {
      const { stopping, history } = await train({ patience: 99, restoreBestWeights: true }, [poisoning(4)]);
      expect(history.loss).toHaveLength(6);
      expect(stopping.stoppedEpoch).toBe(5);
      expect(weights()).toEqual(seen[stopping.bestEpoch!]);
      expect(
        weights()
          .flatMap((each) => [...each])
          .every(Number.isFinite),
      ).toBe(true);
      expect(warnings()).toEqual([
        'tfjs-sharpness, earlyStopping: epoch 6: the training loss is NaN, from which weights do not come back: training was ' +
          'stopped. stopOnNaN: false goes on.',
      ]);
    });

    it('ends training whatever is monitored, before the first epoch has ended', async () => {
      tf.tidy(() => {
        const variable = model.weights[2]!.read() as tf.Variable;
        variable.assign(tf.fill(variable.shape, Number.NaN));
      });
      const { stopping, history } = await train({ monitor: 'loss', patience: 99 });
      expect(history.loss).toHaveLength(1);
      expect(stopping.best).toBeUndefined();
      expect(warnings()).toHaveLength(1);
    });

    it('does not where that is asked for', async () => {
      const { history } = await train({ patience: 99, stopOnNaN: false }, [poisoning(4)]);
      expect(history.loss).toHaveLength(14);
    });
  });
});
