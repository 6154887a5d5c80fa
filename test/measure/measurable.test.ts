import * as tf from '@tensorflow/tfjs-core';
import { expect, it, vi } from 'vitest';
import { checkMeasurable } from '../../src/measure/measurable.js';
import { measureSharpness, type SharpnessInputs } from '../../src/measure/measure-sharpness.js';
import type { MeasureOptions } from '../../src/measure/options.js';
import { freshClassifier, model, x } from './small-classifier.js';

freshClassifier();

const neverRead = (): SharpnessInputs => ({ iterator: () => Promise.reject(new Error('read')) });

it.each<[string, () => SharpnessInputs, MeasureOptions]>([
  ['a wrong shape', () => tf.zeros([3, 4]), {}],
  ['a NaN', () => tf.fill([3, 5], Number.NaN), {}],
  ['labels of another number', () => ({ xs: tf.zeros([3, 5]), ys: tf.zeros([2, 3]) }), {}],
  ['a part too small', () => tf.zeros([3, 5]), { part: 0.1 }],
  ['another loss', () => tf.zeros([3, 5]), { loss: 'binaryCrossentropy' }],
  ['another loss, for a dataset', neverRead, { loss: 'binaryCrossentropy' }],
  ['labels beside a dataset', neverRead, { labels: [] }],
  ['an option out of range, for a dataset', neverRead, { memoryMB: -1 }],
])('throws what a measurement would: %s', async (_, inputs, options) => {
  const given = inputs();
  const thrown = await measureSharpness(model, given, options).catch((error: Error) => error);
  expect(thrown).toBeInstanceOf(Error);
  await expect(checkMeasurable(model, given, options)).rejects.toThrow((thrown as Error).message);
  tf.dispose(given as tf.TensorContainer);
});

it('measures nothing, and reads nothing of a dataset', async () => {
  const onProgress = vi.fn();
  const iterator = vi.fn(() => Promise.reject(new Error('read')));
  await checkMeasurable(model, x, { onProgress });
  await checkMeasurable(model, { iterator }, { onProgress, method: { pairs: 5 } });
  expect(onProgress).not.toHaveBeenCalled();
  expect(iterator).not.toHaveBeenCalled();
});
