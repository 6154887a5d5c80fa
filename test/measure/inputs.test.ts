import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import { describe, expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';
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
