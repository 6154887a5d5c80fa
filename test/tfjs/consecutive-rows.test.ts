import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { consecutiveRows } from '../../src/tfjs/consecutive-rows.js';

it.each(['float32', 'int32', 'bool'] as const)('is what tf.slice gives, of type %s', (dtype) => {
  const x = tf.cast(
    tf.tensor3d(
      [...Array(24).keys()].map((i) => i % 5),
      [4, 3, 2],
      'int32',
    ),
    dtype,
  );
  const before = tf.memory().numTensors;
  for (const [begin, count] of [
    [0, 4],
    [1, 2],
    [3, 1],
  ] as const) {
    const rows = consecutiveRows(x, begin, count);
    const expected = tf.slice(x, begin, count);
    expect([rows.shape, rows.dtype, [...rows.dataSync()]]).toEqual([expected.shape, dtype, [...expected.dataSync()]]);
    tf.dispose([rows, expected]);
  }
  expect(tf.memory().numTensors).toBe(before);
  x.dispose();
});

it('lives on when what it was cut from has gone, and says so where that was before', () => {
  const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
  const before = tf.memory();
  const rows = consecutiveRows(x, 1, 1);
  x.dispose();
  tf.ones([1000]).dispose();
  expect([...rows.dataSync()]).toEqual([3, 4]);
  rows.dispose();
  expect(() => consecutiveRows(x, 0, 1)).toThrow();
  expect(tf.memory().numTensors).toBe(before.numTensors - 1);
  expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers - 1);
});
