import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { measureFunctionSharpness } from '../../src/measure/measure-function.js';
import { estimateSharpness, measureSharpness } from '../../src/measure/measure-sharpness.js';
import { isNotRead } from '../../src/training/logged-values.js';
import type { Monitor } from '../../src/training/monitor.js';
import type { MonitorOptions } from '../../src/training/monitor-options.js';
import { sharpnessMonitor } from '../../src/training/sharpness-monitor.js';

describe('sharpnessMonitor', () => {
  let warn: MockInstance<typeof console.warn>;
  let x: tf.Tensor2D;
  let y: tf.Tensor2D;
  let model: tfl.Sequential;
  let tensorsBefore: number;

  beforeEach(() => {
    warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    x = tf.randomNormal([12, 3], 0, 1, 'float32', 1);
    y = tf.oneHot(
      Array.from({ length: 12 }, (_, i) => i % 2),
      2,
    ) as tf.Tensor2D;
    model = network();
    tensorsBefore = tf.memory().numTensors;
  });
  afterEach(() => {
    expect(tf.memory().numTensors).toBe(tensorsBefore);
    vi.restoreAllMocks();
    (model.optimizer as tf.Optimizer | undefined)?.dispose();
    model.dispose();
    tf.dispose([x, y]);
  });

  function network(): tfl.Sequential {
    const kernel = (seed: number) => tfl.initializers.glorotNormal({ seed });
    const made = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 4, activation: 'relu', inputShape: [3], kernelInitializer: kernel(2) }),
        tfl.layers.dense({ units: 2, activation: 'softmax', kernelInitializer: kernel(3) }),
      ],
    });
    made.compile({ loss: 'categoricalCrossentropy', optimizer: tf.train.sgd(0.1) });
    return made;
  }

  const warnings = () =>
    warn.mock.calls.map(([line]) => String(line)).filter((line) => line.startsWith('tfjs-sharpness'));
  const slices = (batch: number) =>
    [tf.slice(x, [4 * batch, 0], [4, 3]), tf.slice(y, [4 * batch, 0], [4, 2])] as [tf.Tensor2D, tf.Tensor2D];

  /** Epochs of three batches by trainOnBatch; what the monitor gave back, in order. */
  async function train(monitor: Monitor, epochs: number) {
    const given: unknown[] = [];
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (let batch = 0; batch < 3; batch++) {
        const [inputs, labels] = slices(batch);
        const loss = (await model.trainOnBatch(inputs, labels)) as number;
        tf.dispose([inputs, labels]);
        given.push(await monitor.batchEnd({ loss }));
      }
      given.push(await monitor.epochEnd());
    }
    return given;
  }

  function watched(options: MonitorOptions = {}) {
    const monitor = sharpnessMonitor(model, options);
    const [readings, problems, logs] = [[], [], []] as [unknown[], string[], unknown[]];
    monitor.readings$.subscribe(({ step, epoch }) => readings.push([step, epoch]));
    monitor.problems$.subscribe(({ message }) => problems.push(message));
    monitor.logs$.subscribe((each) => logs.push(each));
    return { monitor, readings, problems, logs };
  }

  it('reads after every epoch, and gives back what it read', async () => {
    const { monitor, readings } = watched({ data: x, method: 'exact' });
    const given = await train(monitor, 2);
    const expected = await measureSharpness(model, x);
    expect(given.map((each) => each !== undefined)).toEqual([0, 0, 0, 1, 0, 0, 0, 1].map(Boolean));
    expect(given.at(-1)).toBe(monitor.latest);
    expect(monitor.latest).toMatchObject({ step: 6, epoch: 1, minimumSharpness: expected.minimumSharpness });
    expect(readings).toEqual([
      [3, 0],
      [6, 1],
    ]);
    expect(warnings()).toEqual([]);
    monitor.dispose();
  });

  it('reads after batches, counted from initialStep', async () => {
    const { monitor, readings } = watched({ data: x, every: { batches: 4 }, initialStep: 2 });
    const given = await train(monitor, 2);
    expect(readings).toEqual([
      [4, 0],
      [8, 1],
    ]);
    expect(given.flatMap((each, i) => (each ? [i] : []))).toEqual([1, 6]);
    monitor.dispose();
  });

  it('counts an epoch as one batch where it is told of epochs alone', async () => {
    const { monitor, readings, logs } = watched({ data: x });
    await monitor.epochEnd({ loss: 1 });
    await monitor.epochEnd({ loss: 2 });
    expect(readings).toEqual([
      [1, 0],
      [2, 1],
    ]);
    expect(logs).toMatchObject([
      { step: 1, batches: 1 },
      { step: 2, batches: 1 },
    ]);
    monitor.dispose();
  });

  describe('without data', () => {
    it('measures the minibatch of trainOnBatch, with its labels', async () => {
      const { monitor, problems } = watched({ every: { batches: 1 } });
      for (const batch of [0, 1, 2]) {
        const [inputs, labels] = slices(batch);
        const rows = tf.mul(labels, [[1], [0], [1], [2]]); // they count as often as they add up to
        await model.trainOnBatch(inputs, rows);
        const reading = await monitor.batchEnd();
        const { durationMs: _, ...expected } = await estimateSharpness(model, { xs: inputs, ys: rows });
        expect(reading).toMatchObject(expected);
        tf.dispose([inputs, labels, rows]);
      }
      expect(problems).toEqual([]);
      monitor.dispose();
    });

    it('measures the first batch of an epoch after it', async () => {
      const { monitor } = watched();
      await train(monitor, 2);
      const [inputs, labels] = slices(0);
      const { durationMs: _, ...expected } = await estimateSharpness(model, { xs: inputs, ys: labels });
      expect(monitor.latest).toMatchObject(expected);
      tf.dispose([inputs, labels]);
      monitor.dispose();
    });

    it('is not misled by a model that is run inside of another one, before or after its own step', async () => {
      const noise = tfl.input({ shape: [2] });
      const made = tfl.layers.dense({ units: 3 }).apply(noise) as tfl.SymbolicTensor;
      const { monitor } = watched({ every: { batches: 1 } });
      const combined = tfl.model({ inputs: noise, outputs: model.apply(made) as tfl.SymbolicTensor });
      combined.compile({ loss: 'categoricalCrossentropy', optimizer: 'sgd' });
      const [z, ones] = [tf.ones([5, 2]), tf.tidy(() => tf.oneHot([1, 1, 1, 1, 1], 2).toFloat())];
      const [inputs, labels] = slices(0);
      for (const order of [0, 1]) {
        const own = () => model.trainOnBatch(inputs, labels);
        const other = () => combined.trainOnBatch(z, ones);
        for (const step of order === 0 ? [own, other] : [other, own]) {
          await step();
        }
        const reading = await monitor.batchEnd();
        const expected = await estimateSharpness(model, { xs: inputs, ys: labels });
        expect(reading?.minimumSharpness).toBe(expected.minimumSharpness);
      }
      monitor.dispose();
      tf.dispose([z, ones, inputs, labels]);
      combined.optimizer.dispose();
      const shared = new Set(model.weights);
      tf.dispose(combined.weights.filter((weight) => !shared.has(weight)).map((weight) => weight.read()));
    });

    it('goes on with a model that is compiled anew, or only now', async () => {
      const { monitor, problems } = watched({ every: { batches: 1 } });
      model.optimizer.dispose();
      model.compile({ loss: 'categoricalCrossentropy', optimizer: tf.train.sgd(0.1) });
      const given = await train(monitor, 1);
      // The first batch is of a model whose losses were not listened to yet.
      expect(given.map((each) => each !== undefined)).toEqual([false, true, true, false]);
      expect(problems).toEqual([expect.stringContaining('no minibatch was seen')]);
      monitor.dispose();
    });

    it('says at the first batch that a loop with an optimizer of its own shows none', async () => {
      const { monitor, problems } = watched();
      const optimizer = tf.train.sgd(0.1);
      const loss = () => tf.losses.softmaxCrossEntropy(y, model.apply(x, { training: true }) as tf.Tensor) as tf.Scalar;
      optimizer.minimize(loss);
      await monitor.batchEnd();
      expect(warnings()).toEqual([
        'tfjs-sharpness, minimumSharpness: no minibatch was seen: a loop of your own shows them only where it trains by ' +
          'model.trainOnBatch. Pass { data }.',
      ]);
      const logs: Record<string, number> = {};
      expect(await monitor.epochEnd(logs)).toBeUndefined();
      expect(logs).toEqual({ minimumSharpness: Number.NaN });
      expect(problems).toEqual([expect.stringContaining('Pass { data }.')]);
      expect(warnings()).toHaveLength(1);
      monitor.dispose();
      optimizer.dispose();
    });

    it('leaves the model as it was', () => {
      const apply = model.layers.map((layer) => layer.apply);
      const { monitor } = watched();
      expect(model.layers.map((layer) => layer.apply)).not.toEqual(apply);
      monitor.dispose();
      expect(model.layers.map((layer) => layer.apply)).toEqual(apply);
      expect(model.layers.some((layer) => Object.hasOwn(layer, 'apply'))).toBe(false);
    });
  });

  describe('logs', () => {
    it('are means over the batches, and what epochEnd is given, with the reading', async () => {
      const { monitor, logs } = watched({ data: x });
      const scalar = tf.scalar(4);
      await monitor.batchEnd({ loss: 1, rate: 0.5 });
      await monitor.batchEnd({ loss: scalar });
      expect(scalar.isDisposed).toBe(false);
      scalar.dispose();
      const given = { accuracy: 0.75 };
      const reading = await monitor.epochEnd(given);
      const { minimumSharpness } = reading!;
      expect(given).toEqual({ accuracy: 0.75, minimumSharpness });
      await monitor.batchEnd({ loss: 7 });
      await monitor.epochEnd();
      expect(logs).toEqual([
        { step: 2, epoch: 0, batches: 2, logs: { loss: 2.5, rate: 0.5, accuracy: 0.75, minimumSharpness } },
        { step: 3, epoch: 1, batches: 1, logs: { loss: 7, minimumSharpness } },
      ]);
      monitor.dispose();
    });

    it('have the reading where the loop says nothing', async () => {
      const { monitor, logs } = watched({ data: x });
      await monitor.batchEnd();
      const reading = await monitor.epochEnd();
      expect(logs).toEqual([{ step: 1, epoch: 0, batches: 1, logs: { minimumSharpness: reading!.minimumSharpness } }]);
      monitor.dispose();
    });

    it('may be one object for all epochs and batches', async () => {
      const { monitor, problems } = watched({ data: x, every: { epochs: 2 }, name: 'ms' });
      const logs: Record<string, number> = { loss: 1 };
      const values: unknown[] = [];
      for (let epoch = 0; epoch < 4; epoch++) {
        await monitor.batchEnd(logs);
        await monitor.epochEnd(logs);
        values.push([Number.isNaN(logs.ms), isNotRead(logs, 'ms')]);
      }
      expect(values).toEqual([
        [true, true],
        [false, false],
        [false, true],
        [false, false],
      ]);
      expect(problems).toEqual([]);
      monitor.dispose();
    });

    it('of a batch have its reading, those of someone else are left alone', async () => {
      const { monitor, problems } = watched({ data: x, every: { batches: 2 } });
      const all = [{}, {}, {}, { minimumSharpness: 9 }] as Record<string, number>[];
      for (const logs of all) {
        await monitor.batchEnd(logs);
      }
      expect(all.map(({ minimumSharpness }) => minimumSharpness)).toEqual([
        undefined,
        expect.any(Number),
        undefined,
        9,
      ]);
      expect(problems).toEqual([expect.stringContaining('sharpnessMonitor(model, { name })')]);
      monitor.dispose();
    });

    it.each<[string, unknown]>([
      ['frozen', Object.freeze({ loss: 1 })],
      ['a number', 3],
      ['null', null],
    ])('that are %s harm nobody', async (_, logs) => {
      const { monitor } = watched({ data: x, every: { batches: 1 } });
      expect(await monitor.batchEnd(logs as never)).toBe(monitor.latest);
      await monitor.epochEnd(logs as never);
      expect(monitor.latest).toMatchObject({ step: 1 });
      monitor.dispose();
    });
  });

  it('never rejects: what fails goes to problems$, and the next reading is taken', async () => {
    const { monitor, problems } = watched({ data: x });
    const weights = model.getWeights().map((weight) => weight.clone());
    model.setWeights(weights.map((weight) => tf.mul(weight, Number.NaN)));
    expect(await monitor.epochEnd()).toBeUndefined();
    expect(problems).toEqual([expect.stringMatching(/^Weight [^\n]*NaN[^\n]*$/)]);
    model.setWeights(weights);
    expect(await monitor.epochEnd()).toMatchObject({ step: 2, epoch: 1 });
    monitor.dispose();
    tf.dispose(weights);
    tensorsBefore = tf.memory().numTensors; // those times NaN are the test's own
  });

  it('a reading that nobody awaited has the step at which it was asked for', async () => {
    const { monitor } = watched({ data: x });
    const asked = monitor.epochEnd();
    await monitor.batchEnd();
    expect(await asked).toMatchObject({ step: 1, epoch: 0 });
    monitor.dispose();
  });

  it('ends its streams once disposed, and reads no more', async () => {
    const { monitor } = watched({ data: x });
    const ended: string[] = [];
    monitor.readings$.subscribe({ complete: () => ended.push('readings') });
    monitor.logs$.subscribe({ complete: () => ended.push('logs') });
    monitor.problems$.subscribe({ complete: () => ended.push('problems') });
    await train(monitor, 1);
    const last = monitor.latest;
    monitor.dispose();
    monitor.dispose();
    expect(ended).toEqual(['readings', 'logs', 'problems']);
    expect(await train(monitor, 1)).toEqual([undefined, undefined, undefined, undefined]);
    expect(monitor.latest).toBe(last);
  });

  it('with a share of the time, reads no more than that allows, from the first call on', async () => {
    let time = 1e9;
    vi.spyOn(performance, 'now').mockImplementation(() => time);
    const { monitor, readings, problems } = watched({ data: x, every: { overhead: 0.1 } });
    time += 1e9; // what passes before training pays for nothing
    await monitor.batchEnd();
    expect(readings).toEqual([]);
    time += 1000;
    await monitor.batchEnd();
    expect(readings).toEqual([[2, 0]]);
    await monitor.epochEnd();
    await monitor.epochEnd({});
    expect(problems).toEqual([expect.stringMatching(/^no reading in this epoch: /)]);
    monitor.dispose();
  });

  it('measures a function of variables', async () => {
    const [w1, w2] = tf.tidy(() => [
      tf.variable(tf.randomNormal([3, 5], 0, 1, 'float32', 4)),
      tf.variable(tf.randomNormal([5, 2], 0, 1, 'float32', 5)),
    ]) as [tf.Variable, tf.Variable];
    const logits = (given: tf.Tensor) => tf.matMul(tf.relu(tf.matMul(given as tf.Tensor2D, w1 as tf.Tensor2D)), w2);
    const blocks = { w1: { variable: w1, to: 'hidden' }, w2: { variable: w2, from: 'hidden' } };
    const loss = 'softmaxCrossEntropy';
    const monitor = sharpnessMonitor({ function: logits, blocks }, { data: x, loss, method: 'exact' });
    const optimizer = tf.train.sgd(0.5);
    const values: number[] = [];
    for (let epoch = 0; epoch < 2; epoch++) {
      optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, logits(x)) as tf.Scalar, false, [w1, w2]);
      const reading = await monitor.epochEnd();
      const expected = await measureFunctionSharpness(logits, blocks, x, { loss });
      expect(reading?.minimumSharpness).toBe(expected.minimumSharpness);
      values.push(expected.minimumSharpness);
    }
    expect(values[0]).not.toBe(values[1]);
    expect(warnings()).toEqual([]);
    monitor.dispose();
    tf.dispose([w1, w2]);
    optimizer.dispose();
  });

  it('takes no memory, however many readings', async () => {
    const { monitor } = watched({ every: { batches: 1 } });
    const counts: number[] = [];
    for (let round = 0; round < 40; round++) {
      await train(monitor, 1);
      counts.push(tf.memory().numTensors);
    }
    expect(new Set(counts).size).toBe(1);
    monitor.dispose();
  });
});

describe('training with a monitor', () => {
  type Loop = (model: tfl.LayersModel, x: tf.Tensor, y: tf.Tensor, optimizer: tf.Optimizer) => Promise<void> | void;

  const loss = (model: tfl.LayersModel, x: tf.Tensor, y: tf.Tensor) => () =>
    tf.losses.softmaxCrossEntropy(y, model.apply(x, { training: true }) as tf.Tensor) as tf.Scalar;

  const loops: Record<string, Loop> = {
    trainOnBatch: async (model, x, y) => void (await model.trainOnBatch(x, y)),
    minimize: (model, x, y, optimizer) => void optimizer.minimize(loss(model, x, y)),
    'variableGrads and applyGradients': (model, x, y, optimizer) => {
      const { value, grads } = tf.variableGrads(loss(model, x, y));
      optimizer.applyGradients(grads);
      tf.dispose([value, grads]);
    },
  };

  /** Dropout with a seed, so that masks count their calls. */
  function network() {
    const kernelInitializer = tfl.initializers.glorotNormal({ seed: 6 });
    const model = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 6, activation: 'relu', inputShape: [3], kernelInitializer }),
        tfl.layers.batchNormalization(),
        tfl.layers.dropout({ rate: 0.5, seed: 7 }),
        tfl.layers.dense({ units: 2, kernelInitializer }),
      ],
    });
    const optimizer = tf.train.adam(0.01);
    model.compile({ optimizer, loss: tf.losses.softmaxCrossEntropy as never });
    return { model, optimizer };
  }

  it.each(Object.keys(loops))('by %s ends bit for bit where it does without', async (name) => {
    const x = tf.randomNormal([20, 3], 0, 1, 'float32', 8);
    const y = tf.tidy(() => tf.oneHot(tf.cast(tf.greater(tf.sum(x, 1), 0), 'int32'), 2).toFloat());
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const outcome = async (options?: MonitorOptions) => {
      const { model, optimizer } = network();
      const monitor = options && sharpnessMonitor(model, options);
      let readings = 0;
      monitor?.readings$.subscribe(() => readings++);
      for (let step = 0; step < 6; step++) {
        await loops[name]!(model, x, y, optimizer);
        await monitor?.batchEnd();
        if (step % 3 === 2) {
          await monitor?.epochEnd();
        }
      }
      monitor?.dispose();
      const all = [...model.getWeights(), ...(await optimizer.getWeights()).map(({ tensor }) => tensor)];
      const weights = all.map((weight) => [...weight.dataSync()]);
      model.dispose();
      optimizer.dispose();
      return { weights, readings };
    };
    const { weights } = await outcome();
    const loss = 'softmaxCrossEntropy';
    const variants: [MonitorOptions, number][] = [
      [{ data: x, loss }, 2],
      [{ data: x, loss, every: { batches: 1 } }, 6],
      [{ loss, every: { batches: 2 } }, name === 'trainOnBatch' ? 3 : 0],
    ];
    for (const [options, readings] of variants) {
      expect(await outcome(options)).toEqual({ weights, readings });
    }
    warn.mockRestore();
    tf.dispose([x, y]);
  });
});
