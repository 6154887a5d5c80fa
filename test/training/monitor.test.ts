import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LabelledInputs } from '../../src/measure/inputs.js';
import type { SharpnessReading } from '../../src/measure/reading.js';
import { checkCallbackOptions, type MinimumSharpnessOptions } from '../../src/training/callback-options.js';
import { isNotRead, type Logs } from '../../src/training/logged-values.js';
import { monitorOf } from '../../src/training/monitor.js';

/** Trainings without fit: the monitor is told of batches and epochs by hand. */
describe('monitorOf', () => {
  let model: tfl.Sequential;
  let x: tf.Tensor;
  let tensorsBefore: number;
  beforeEach(() => {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    model = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [2] })] });
    x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    tensorsBefore = tf.memory().numTensors;
  });
  afterEach(() => {
    vi.restoreAllMocks();
    expect(tf.memory().numTensors).toBe(tensorsBefore);
    model.dispose();
    x.dispose();
  });

  /** Readings 1, 2, 3, ...; those in `fails` throw. */
  function watched(options: MinimumSharpnessOptions, fails: readonly number[] = []) {
    const inputs: unknown[] = [];
    const measure = async (_: unknown, of: unknown) => {
      const given = (of as Partial<LabelledInputs>).xs ?? of;
      inputs.push(Array.isArray(given) ? given.map((tensor: tf.Tensor) => tensor.arraySync()) : given);
      if (fails.includes(inputs.length)) {
        throw new Error(`reading ${inputs.length} failed`);
      }
      return { minimumSharpness: inputs.length } as SharpnessReading;
    };
    const monitor = monitorOf(checkCallbackOptions(options), { whole: measure, minibatch: measure });
    const events: unknown[] = [];
    monitor.readings$.subscribe({
      next: ({ step, epoch, minimumSharpness }) => events.push(['reading', step, epoch, minimumSharpness]),
      complete: () => events.push('readings end'),
    });
    monitor.logs$.subscribe({
      next: ({ step, epoch, batches, logs }) => events.push(['logs', step, epoch, batches, logs]),
      complete: () => events.push('logs end'),
    });
    monitor.problems.problems$.subscribe({
      next: ({ step, epoch, message }) => events.push(['problem', step, epoch, message]),
      complete: () => events.push('problems end'),
    });
    return { monitor, events, inputs };
  }

  /** One epoch of a loop of one's own. */
  async function epoch({ monitor }: ReturnType<typeof watched>, number: number, batches: number, logs?: Logs) {
    monitor.epochBegin(number);
    for (let batch = 0; batch < batches; batch++) {
      monitor.batchBegin();
      tf.tidy(() => void model.apply(tf.add(x, batch), { training: true }));
      await monitor.batchEnd();
    }
    await monitor.epochEnd(number, logs);
  }

  it('counts batches, and puts the reading into the logs before it hands these on', async () => {
    const all = watched({ data: x, initialStep: 100 });
    all.monitor.setModel(model);
    all.monitor.begin();
    const logs: Logs = { loss: 0.5 };
    await epoch(all, 0, 3, logs);
    expect(logs).toEqual({ loss: 0.5, minimumSharpness: 1 });
    await epoch(all, 1, 2, { loss: 0.25 });
    expect(all.events).toEqual([
      ['reading', 103, 0, 1],
      ['logs', 103, 0, 3, { loss: 0.5, minimumSharpness: 1 }],
      ['reading', 105, 1, 2],
      ['logs', 105, 1, 2, { loss: 0.25, minimumSharpness: 2 }],
    ]);
    expect(all.monitor.latest).toMatchObject({ step: 105, epoch: 1, minimumSharpness: 2 });
  });

  it('reads every k batches, and epochs without logs are none to hand on', async () => {
    const all = watched({ data: x, every: { batches: 2 } });
    all.monitor.setModel(model);
    all.monitor.begin();
    await epoch(all, 0, 3);
    await epoch(all, 1, 1);
    expect(all.events).toEqual([
      ['reading', 2, 0, 1],
      ['reading', 4, 1, 2],
    ]);
  });

  it('without data, measures what the model was trained on, and leaves the model as it was', async () => {
    const { apply } = model.layers[0]!;
    const all = watched({ every: { batches: 1 } });
    all.monitor.setModel(model);
    all.monitor.begin();
    await epoch(all, 0, 2);
    all.monitor.end();
    expect(all.inputs).toEqual([
      [
        [
          [1, 2],
          [3, 4],
        ],
      ],
      [
        [
          [2, 3],
          [4, 5],
        ],
      ],
    ]);
    expect(model.layers[0]!.apply).toBe(apply);
    expect(Object.hasOwn(model.layers[0]!, 'apply')).toBe(false);
  });

  it('reads nothing where the model is not known, and goes on counting', async () => {
    const all = watched({ data: x });
    all.monitor.setModel(null);
    all.monitor.begin();
    const logs: Logs = {};
    await epoch(all, 0, 2, logs);
    expect([all.events, logs]).toEqual([[], {}]);
    all.monitor.setModel(model);
    all.monitor.begin();
    await epoch(all, 0, 1, logs);
    expect(all.events[0]).toEqual(['reading', 3, 0, 1]);
  });

  it('carries a reading forward, but not to another model', async () => {
    const all = watched({ data: x, every: { epochs: 2 }, name: 'ms' });
    const other = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [2] })] });
    const values: unknown[] = [];
    for (const trained of [model, model, model, other, model]) {
      all.monitor.setModel(trained);
      all.monitor.begin();
      const logs: Logs = {};
      await epoch(all, 0, 1, logs);
      values.push(logs.ms);
    }
    // The fourth epoch has a reading of the other model.
    expect(values).toEqual([Number.NaN, 1, 1, 2, Number.NaN]);
    other.dispose();
  });

  it.each<[string, MinimumSharpnessOptions['every'], number, number[], number[]]>([
    ['one of its epoch', { epochs: 1 }, 1, [2, 3], [1, Number.NaN, Number.NaN, 4]],
    ['the one that was due', { epochs: 2 }, 1, [2], [Number.NaN, 1, 1, Number.NaN, 1, 3]],
    ['the last of an epoch', { batches: 1 }, 2, [4], [2, Number.NaN, 6]],
    ['one before the last of an epoch', { batches: 1 }, 2, [3], [2, 4, 6]],
  ])('logs NaN where a reading failed: %s', async (_, every, batches, fails, expected) => {
    const all = watched({ data: x, every, name: 'ms' }, fails);
    all.monitor.setModel(model);
    all.monitor.begin();
    const logged: Logs[] = [];
    for (const number of expected.keys()) {
      logged.push({ loss: 1 });
      await epoch(all, number, batches, logged.at(-1));
    }
    expect(logged.map(({ ms }) => ms)).toEqual(expected);
    // What is carried forward is said to be so, and NaN is no reading.
    const fresh = expected.map(
      (value, i) => !Number.isNaN(value) && value !== expected[i - 1] && value !== expected[i - 2],
    );
    expect(logged.map((logs) => !isNotRead(logs, 'ms'))).toEqual(fresh);
    expect(logged.some((logs) => isNotRead(logs, 'loss'))).toBe(false);
  });

  it('logs NaN where no minibatch was seen', async () => {
    const all = watched({ name: 'ms' });
    all.monitor.setModel(model);
    all.monitor.begin();
    const [seen, unseen]: Logs[] = [{}, {}];
    await epoch(all, 0, 1, seen);
    await epoch(all, 1, 0, unseen);
    expect([seen, unseen]).toEqual([{ ms: 1 }, { ms: Number.NaN }]);
  });

  it('leaves a field of the same name to its owner', async () => {
    const all = watched({ data: x, name: 'loss' });
    all.monitor.setModel(model);
    all.monitor.begin();
    const logs: Logs = { loss: 0.5 };
    await epoch(all, 0, 1, logs);
    expect(logs).toEqual({ loss: 0.5 });
    expect(all.events[1]).toEqual(['problem', 1, 0, expect.stringMatching(/^the epoch logs already have a "loss"/)]);
  });

  it('goes on after a reading that failed', async () => {
    const all = watched({ data: x, every: { batches: 1 } }, [2]);
    all.monitor.setModel(model);
    all.monitor.begin();
    await epoch(all, 0, 3);
    expect(all.events).toEqual([
      ['reading', 1, 0, 1],
      ['problem', 2, 0, 'reading 2 failed'],
      ['reading', 3, 0, 3],
    ]);
  });

  it('spends no more than its share of the time, and says so of epochs without a reading', async () => {
    let time = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => time);
    const all = watched({ data: x, every: { overhead: 0.1 } });
    all.monitor.setModel(model);
    all.monitor.begin();
    await epoch(all, 0, 1);
    time += 1000;
    await epoch(all, 1, 1);
    expect(all.events).toEqual([
      ['problem', 1, 0, 'no reading in this epoch: readings may take 0 ms now.'],
      ['reading', 2, 1, 1],
    ]);
  });

  it('ends its streams once disposed, and reads no more', async () => {
    const all = watched({ data: x });
    all.monitor.setModel(model);
    all.monitor.begin();
    expect(all.monitor.disposed).toBe(false);
    all.monitor.dispose();
    all.monitor.dispose();
    expect(all.monitor.disposed).toBe(true);
    all.monitor.setModel(model);
    all.monitor.begin();
    const logs: Logs = {};
    await epoch(all, 0, 1, logs);
    expect(all.inputs).toEqual([]);
    expect(all.events).toEqual(['readings end', 'logs end', 'problems end']);
    expect(logs).toEqual({ minimumSharpness: Number.NaN });
  });
});
