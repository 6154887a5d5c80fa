import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import {
  isNotRead,
  type Logs,
  loggedValue,
  loggedValues,
  meanValues,
  readingIn,
  sayNotRead,
  sayRead,
} from '../../src/training/logged-values.js';
import { readingOf } from './streams/readings.js';

it('a field is a number, a scalar, or not there', async () => {
  const loss = tf.scalar(0.25);
  const logs = { size: 4, loss, text: 'a', nothing: null } as unknown as Logs;
  expect(await loggedValue(logs, 'size')).toBe(4);
  expect(await loggedValue(logs, 'loss')).toBe(0.25);
  for (const field of ['text', 'nothing', 'acc', undefined]) {
    expect(await loggedValue(logs, field), field).toBeUndefined();
  }
  expect(loss.isDisposed).toBe(false);
  loss.dispose();
});

it('all fields that are numbers keep their order', async () => {
  const [loss, acc] = [tf.scalar(0.25), tf.scalar(0.5)];
  const logs = { loss, text: 'a', ms: Number.NaN, acc } as unknown as Logs;
  expect(Object.entries(await loggedValues(logs))).toEqual([
    ['loss', 0.25],
    ['ms', Number.NaN],
    ['acc', 0.5],
  ]);
  tf.dispose([loss, acc]);
});

it('a field of these very logs is said not to be read', () => {
  const logs: Logs = { ms: 1, other: 2 };
  expect(isNotRead(logs, 'ms')).toBe(false);
  sayNotRead(logs, 'ms');
  sayNotRead(logs, 'third');
  expect(['ms', 'other', 'third'].map((field) => isNotRead(logs, field))).toEqual([true, false, true]);
  expect(isNotRead({ ...logs }, 'ms')).toBe(false);
  expect(logs).toEqual({ ms: 1, other: 2 });
  sayNotRead(logs, 'ms', false); // the same object again, in the next epoch
  expect(['ms', 'third'].map((field) => isNotRead(logs, field))).toEqual([false, true]);
});

it('a mean is over the batches that have the field', () => {
  const means = meanValues();
  expect([means.isEmpty, means.values()]).toEqual([true, {}]);
  const batches: Record<string, number>[] = [{ loss: 1, acc: 0.5 }, { loss: 2 }, {}, { loss: 6, acc: 1 }];
  for (const values of batches) {
    means.add(values);
  }
  expect([means.isEmpty, means.values()]).toEqual([false, { loss: 3, acc: 0.75 }]);
});

it('a field of these very logs is said to be of a reading', () => {
  const logs: Logs = { ms: 1, other: 2 };
  const reading = readingOf(1);
  expect(readingIn(logs, 'ms')).toBeUndefined();
  sayRead(logs, 'ms', reading);
  expect(readingIn(logs, 'ms')).toBe(reading);
  expect(readingIn(logs, 'other')).toBeUndefined();
  expect(readingIn({ ...logs }, 'ms')).toBeUndefined();
});
