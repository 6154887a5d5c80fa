import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, test, vi } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureProgress } from '../../src/measure/options.js';
import type { Subject } from '../../src/measure/subject.js';
import { subjectOfModel } from '../../src/measure/subject.js';
import { type Task, withTask } from '../../src/measure/task.js';
import { onFakeWebGpu } from '../tfjs/fake-webgpu.js';
import { chain, randomInputs } from './stacked-network.js';

const { dense } = tfl.layers;
const softmax = (units: number) => dense({ units, activation: 'softmax' });

describe('a measurement of many chunks', () => {
  const subject = () => chain(dense({ units: 60, activation: 'relu', inputShape: [4] }), softmax(10));
  const options = { loss: 'categoricalCrossentropy', memoryMB: 0.25 } as const;

  test('reports its progress, rising, up to the total', async () => {
    const model = subject();
    const inputs = randomInputs(model, 700);
    const progress: MeasureProgress[] = [];
    await measureSharpness(model, inputs, { ...options, onProgress: (p) => progress.push({ ...p }) });
    expect(progress.length).toBeGreaterThan(5);
    for (const [i, { samples, total, rows }] of progress.entries()) {
      expect(total).toBe(700);
      // Rows are ahead of the samples, whose chunks are read behind.
      expect(samples).toBeGreaterThanOrEqual(progress[i - 1]?.samples ?? 0);
      expect(rows + samples).toBeGreaterThan((progress[i - 1]?.rows ?? 0) + (progress[i - 1]?.samples ?? 0));
    }
    expect(progress.at(-1)!.samples).toBe(700);
    tf.dispose(inputs);
    model.dispose();
  });

  test.each([
    ['exact', undefined, 700 * 9, 700 * 9],
    ['pairs', { pairs: 64 }, 64, 64],
    ['probes', { hutchinson: 3 }, 700 * 9, 700 * 9],
  ] as const)('counts backward rows done of those planned: %s', async (_, method, least, most) => {
    const model = subject();
    const inputs = randomInputs(model, 700);
    const labels = tf.oneHot(tf.zeros([700], 'int32'), 10);
    const progress: MeasureProgress[] = [];
    await measureSharpness(model, inputs, { ...options, labels, method, onProgress: (p) => progress.push({ ...p }) });
    for (const [i, { rows, totalRows }] of progress.entries()) {
      expect(rows).toBeGreaterThanOrEqual(progress[i - 1]?.rows ?? 0);
      expect(rows).toBeLessThanOrEqual(totalRows ?? rows);
      // Planned from the first call on.
      expect(totalRows).toBe(progress.at(-1)!.totalRows);
      expect(progress[i]!.timeLeftMs === undefined).toBe(rows === 0);
    }
    expect(progress.at(-1)!.timeLeftMs).toBe(0);
    const { rows, totalRows } = progress.at(-1)!;
    expect(rows).toBe(totalRows);
    expect(rows).toBeGreaterThanOrEqual(least);
    expect(rows).toBeLessThanOrEqual(most);
    tf.dispose([inputs, labels]);
    model.dispose();
  });

  test('gives the same reading as one of a single chunk', async () => {
    const model = subject();
    const inputs = randomInputs(model, 300);
    const chunked = await measureSharpness(model, inputs, options);
    const whole = await measureSharpness(model, inputs, { loss: 'categoricalCrossentropy' });
    expect(Math.abs(chunked.minimumSharpness / whole.minimumSharpness - 1)).toBeLessThan(1e-5);
    for (const [i, { trace }] of chunked.parameters.entries()) {
      expect(Math.abs(trace / whole.parameters[i]!.trace - 1)).toBeLessThan(1e-5);
    }
    expect(chunked.pairs).toBe(whole.pairs);
    tf.dispose(inputs);
    model.dispose();
  });

  test('stops when its signal aborts, with the reason, and leaves no tensor', async () => {
    const model = subject();
    const inputs = randomInputs(model, 700);
    const { numTensors, numBytes } = tf.memory();
    const controller = new AbortController();
    const reason = new Error('enough');
    let chunks = 0;
    const onProgress = () => {
      chunks++;
      if (chunks === 2) {
        controller.abort(reason);
      }
    };
    await expect(measureSharpness(model, inputs, { ...options, onProgress, signal: controller.signal })).rejects.toBe(
      reason,
    );
    expect(chunks).toBe(2);
    expect(tf.memory()).toMatchObject({ numTensors, numBytes });
    tf.dispose(inputs);
    model.dispose();
  });

  test('lets a timer abort it, since it gives way between chunks', async () => {
    const model = subject();
    const inputs = randomInputs(model, 20_000);
    const { numTensors } = tf.memory();
    await expect(measureSharpness(model, inputs, { ...options, signal: AbortSignal.timeout(1) })).rejects.toThrow(
      /timeout/i,
    );
    expect(tf.memory().numTensors).toBe(numTensors);
    tf.dispose(inputs);
    model.dispose();
  }, 120_000);

  test('passes on what onProgress throws, and leaves no tensor', async () => {
    const model = subject();
    const inputs = randomInputs(model, 700);
    const { numTensors } = tf.memory();
    const onProgress = () => {
      throw new Error('display is gone');
    };
    await expect(measureSharpness(model, inputs, { ...options, onProgress })).rejects.toThrow('display is gone');
    expect(tf.memory().numTensors).toBe(numTensors);
    tf.dispose(inputs);
    model.dispose();
  });

  test('leaves no tensor when it fails in the middle', async () => {
    const model = subject();
    const inputs = randomInputs(model, 700);
    const { numTensors } = tf.memory();
    const onProgress = () => model.weights[0]!.dispose();
    await expect(measureSharpness(model, inputs, { ...options, onProgress })).rejects.toThrow(/disposed/);
    expect(tf.memory().numTensors).toBe(numTensors - 1);
    tf.dispose(inputs);
    tf.disposeVariables();
  });
});

describe('withTask', () => {
  test('leaves no tensor where an input is disposed before a part of it is drawn', async () => {
    const model = chain(dense({ units: 6, activation: 'relu', inputShape: [4] }), softmax(3));
    const labels = tf.ones([8, 3]);
    const { numTensors } = tf.memory();
    const x = tf.ones([8, 4]);
    const failing = measureSharpness(model, x, { part: 0.5, labels, loss: 'categoricalCrossentropy' });
    x.dispose();
    await expect(failing).rejects.toThrow(/disposed/);
    expect(tf.memory().numTensors).toBe(numTensors);
    labels.dispose();
    model.dispose();
  });

  test('checks every batch of a dataset for numbers, and with the first one the network', async () => {
    const model = chain(dense({ units: 6, activation: 'relu', inputShape: [4] }), softmax(3));
    const batches = [2, 3, 1].map((rows) => tf.ones([rows, 4]));
    let next = 0;
    const iterator = async () => ({
      next: async () =>
        next < 3 ? { value: batches[next++], done: false as const } : { value: null, done: true as const },
    });
    const options = { loss: 'categoricalCrossentropy' } as const;
    const check = vi.fn();
    const seen: number[] = [];
    const run = ({ data }: Task) => data.eachBatch(async ([x]) => void seen.push(x!.shape[0]));
    await withTask({ makeSubject: () => subjectOfModel(model, options), inputs: { iterator }, options, check }, run);
    expect(seen).toEqual([2, 3, 1]);
    expect(check).toHaveBeenCalledTimes(1);
    expect(batches.every(({ isDisposed }) => isDisposed)).toBe(true);

    batches.push(tf.ones([2, 4]), tf.fill([2, 4], Number.NaN));
    next = 3;
    const more = async () => ({
      next: async () =>
        next < 5 ? { value: batches[next++], done: false as const } : { value: null, done: true as const },
    });
    const failing = withTask(
      { makeSubject: () => subjectOfModel(model, options), inputs: { iterator: more }, options },
      run,
    );
    await expect(failing).rejects.toThrow(/has a NaN or an infinity in it/);
    expect(seen).toEqual([2, 3, 1, 2]);
    model.dispose();
  });
});

describe('an error of a WebGPU device', () => {
  const fake = onFakeWebGpu();

  /** Something without weights, whose parts report an error of the device. */
  const reporting = (where: 'labels' | 'run' | 'nowhere') =>
    withTask(
      {
        makeSubject: () =>
          ({
            graph: { steps: [] },
            weights: [],
            inputNames: [],
            item: (inputs: unknown) => ({ inputs: [inputs], labels: undefined }),
            async lossInputs() {
              if (where === 'labels') {
                fake.backend.device.report('out of memory');
              }
              return [];
            },
          }) as unknown as Subject,
        inputs: { shape: [2], isDisposed: true },
        options: {},
      },
      async () => {
        if (where === 'run') {
          fake.backend.device.report('out of memory');
        }
        return 7;
      },
    );

  test.each(['labels', 'run'] as const)('ends the reading, also while labels are read: %s', async (where) => {
    await expect(reporting(where)).rejects.toThrow(/^The WebGPU device reported 'out of memory'/);
    expect(await reporting('nowhere')).toBe(7);
  });
});
