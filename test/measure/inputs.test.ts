import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it, vi } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';
import { minimumSharpness } from '../../src/training/minimum-sharpness.js';
import { expectSameTraces, freshClassifier, model, numbers, x } from './small-classifier.js';

freshClassifier();

describe('inputs', () => {
  it('takes a tensor, an array and tensors by name alike', async () => {
    const reading = numbers(await measureSharpness(model, x));
    expect(numbers(await measureSharpness(model, [x]))).toEqual(reading);
    expect(numbers(await measureSharpness(model, { [model.inputNames[0]]: x }))).toEqual(reading);
  });

  it('takes int32 tensors for what they are worth', async () => {
    const whole = tf.tidy(() => tf.round(tf.mul(x, 3)));
    const integers = tf.cast(whole, 'int32');
    expectSameTraces(await measureSharpness(model, integers), await measureSharpness(model, whole));
    tf.dispose([whole, integers]);
  });

  it.each([
    ['xs', (rows: tf.Tensor) => rows],
    ['{ xs, ys }', (rows: tf.Tensor) => ({ xs: rows, ys: tf.fill([rows.shape[0], 3], 1 / 3) })],
    ['xs by name', (rows: tf.Tensor) => ({ [model.inputNames[0]]: rows })],
  ])('reads a dataset of %s, batch by batch, and disposes what it yields', async (_, item) => {
    const sizes = [5, 4, 3];
    const dataset = tfd.generator(function* () {
      for (let i = 0, begin = 0; i < sizes.length; begin += sizes[i++]) {
        yield item(tf.slice(x, [begin, 0], [sizes[i], 5])) as tf.TensorContainer;
      }
    });
    const seen: (number | undefined)[] = [];
    const onProgress: MeasureOptions['onProgress'] = ({ samples, total }) => seen.push(samples, total);
    const reading = await measureSharpness(model, dataset, { onProgress });
    expectSameTraces(reading, await measureSharpness(model, x));
    expect(seen.at(-2)).toBe(12);
    expect(seen.at(-1)).toBeUndefined();
  });

  it('disposes what a dataset yielded when a batch of it is refused', async () => {
    const dataset = tfd.generator(function* () {
      yield tf.zeros([2, 5]);
      yield tf.zeros([2, 4]);
    });
    await expect(measureSharpness(model, dataset)).rejects.toThrow(/shape \[2, 4\]/);
  });
});

describe('a dataset that is wrong', () => {
  it.each([
    ['arrays', [[1, 2, 3, 4, 5]], /^inputs\[0\] is not a tensor but a number: .*dataset\.batch\(32\)/],
    [
      '{ xs, ys } of arrays',
      [{ xs: [1, 2, 3, 4, 5], ys: [0, 1, 0] }],
      /^inputs\[0\] is not a tensor but a number: .*batch/,
    ],
    [
      'arrays of arrays',
      [
        [
          [1, 2],
          [3, 4],
        ],
      ],
      /^inputs\[0\] is not a tensor but an array: .*batch/,
    ],
    ['typed arrays', [new Float32Array(5)], /batch\(32\), but they are a Float32Array/],
    ['numbers', [3], /batch\(32\), but they are a number/],
  ])('in one line that says to batch it: %s', async (_, items, message) => {
    const unbatched = tfd.generator(function* () {
      yield* items as tf.TensorContainer[];
    });
    await expect(measureSharpness(model, unbatched)).rejects.toThrow(message);
    await expect(measureSharpness(model, unbatched)).rejects.toThrow(/^[^\n]+$/);
  });

  it('and one of single tensors', async () => {
    const unbatched = tfd.generator(function* () {
      yield tf.zeros([5]) as tf.TensorContainer;
    });
    await expect(measureSharpness(model, unbatched)).rejects.toThrow(/shape \[5\], .*batch the dataset/);
  });

  it('or has no end, before anything is read', async () => {
    const rows = tfd.array(Array.from({ length: 12 }, () => [1, 2, 3, 4, 5]));
    const read = vi.fn();
    const endless = [
      rows.repeat().batch(4),
      rows.batch(4).repeat(),
      rows.repeat(-1).shuffle(3, 'seed').batch(4).prefetch(2),
      tfd.zip({ xs: rows.repeat(), ys: rows }).batch(3),
    ].filter(({ size }) => size === Number.POSITIVE_INFINITY);
    expect(endless).toHaveLength(3);
    for (const dataset of endless) {
      vi.spyOn(dataset, 'iterator').mockImplementation(read);
      const message = /: the dataset never ends [^\n]*dataset\.take\(n\)[^\n]*$/;
      await expect(measureSharpness(model, dataset)).rejects.toThrow(message);
      expect(() => minimumSharpness({ data: dataset })).toThrow(message);
    }
    expect(read).not.toHaveBeenCalled();
    expect((await measureSharpness(model, rows.batch(4).repeat().take(3))).samples).toBe(12);
  });
});

describe('sequences of different lengths', () => {
  const { layers } = tfl;
  const lengths = [5, 8, 3, 8];
  const seeded = (seed: number) => ({ kernelInitializer: tfl.initializers.glorotNormal({ seed }) });
  const sequences = () => {
    const network = tfl.sequential({
      layers: [
        layers.conv1d({
          filters: 4,
          kernelSize: 2,
          activation: 'relu',
          inputShape: [null, 3] as number[],
          ...seeded(1),
        }),
        layers.globalAveragePooling1d(),
        layers.dense({ units: 3, activation: 'softmax', ...seeded(2) }),
      ],
    });
    network.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    return network;
  };
  const batches = lengths.map((length, i) => tf.randomNormal([6, length, 3], 0, 1, 'float32', i));
  const dataset = tfd.generator(function* () {
    for (const batch of batches) {
      yield tf.clone(batch) as tf.TensorContainer;
    }
  });

  it.each<MeasureOptions>([
    {},
    { method: { tolerance: 0.02 } },
    { method: { pairs: 40 } },
    { method: { pairs: 1000 } },
    { part: 0.9, method: { pairs: 500 } },
  ])('are measured as their batches are, with %o', async (options) => {
    const network = sequences();
    let [trace, samples] = [0, 0];
    for (const batch of batches) {
      trace += (await measureSharpness(network, batch)).trace;
      samples += 6;
    }
    const { numTensors } = tf.memory();
    const found = await measureSharpness(network, dataset, options);
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(found.samples).toBe(samples);
    const isExact =
      options.method === undefined ||
      ('pairs' in (options.method as object) && (options.method as { pairs: number }).pairs === 1000);
    expect(Math.abs(found.trace / (trace / lengths.length) - 1)).toBeLessThan(isExact ? 1e-5 : 0.3);
    network.dispose();
  });

  // wasm cannot train a convolution.
  it.skipIf(tf.getBackend() === 'wasm')('are data of the callback', async () => {
    const network = sequences();
    const sharpness = minimumSharpness({ data: dataset });
    const problems: unknown[] = [];
    sharpness.problems$.subscribe((problem) => problems.push(problem));
    const y = tf.tidy(() => tf.oneHot(tf.tensor1d([0, 1, 2, 0, 1, 2], 'int32'), 3));
    await network.fit(batches[0]!, y, { epochs: 1, verbose: 0, callbacks: [sharpness] });
    expect(problems).toEqual([]);
    expect(sharpness.latest).toMatchObject({ samples: 24, minimumSharpness: expect.any(Number) });
    sharpness.dispose();
    network.dispose();
    y.dispose();
  });
});
