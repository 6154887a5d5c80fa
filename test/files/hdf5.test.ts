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

test('a file says where it ends in a superblock of any version', () => {
  // The address of the end behind the base address and that of the free space or of the extension (HDF5 File Format
  // Specification 3.0, II.A): versions 0 and 1 have 24 and 28 bytes before the base address, 2 and 3 have 12.
  for (const [version, at] of [
    [0, 40],
    [1, 44],
    [2, 28],
    [3, 28],
  ] as const) {
    const head = Buffer.alloc(HDF5_HEAD, 0xff);
    bytes.copy(head, 0, 0, 8);
    head[8] = version;
    head.writeBigUInt64LE(2n ** 33n, at);
    expect(endOfHdf5(head), `version ${version}`).toBe(2 ** 33);
  }
});

test('arrays are found by their names', () => {
  const layer = child(openHdf5(bytes), 'head')!;
  expect([layer.keys, child(layer, 'none')]).toEqual([['head'], undefined]);
  const { shape, values } = arrayOf(layer.get('head/kernel:0'));
  expect([shape, values.length]).toEqual([[2, 2], 4]);
  expect(() => arrayOf(layer)).toThrow('no numbers');
});
