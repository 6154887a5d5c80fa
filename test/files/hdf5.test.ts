import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { arrayOf, child, endOfHdf5, HDF5_HEAD, isHdf5, openHdf5 } from '../../src/files/hdf5.js';

const bytes = readFileSync('test/fixtures/keras-h5/only-keras2.h5');

test('a file says where it ends', () => {
  expect(isHdf5(bytes)).toBe(true);
  expect(isHdf5(bytes.subarray(1))).toBe(false);
  expect(endOfHdf5(bytes.subarray(0, HDF5_HEAD))).toBe(bytes.length);
  expect(() => openHdf5(bytes.subarray(0, -1))).toThrow('cut off');
});

test('arrays are found by their names', () => {
  const layer = child(openHdf5(bytes), 'head')!;
  expect([layer.keys, child(layer, 'none')]).toEqual([['head'], undefined]);
  const { shape, values } = arrayOf(layer.get('head/kernel:0'));
  expect([shape, values.length]).toEqual([[2, 2], 4]);
  expect(() => arrayOf(layer)).toThrow('no numbers');
});
