/// <reference path="./jsfive.d.ts" />
import { File, type Hdf5Item } from 'jsfive';

/** The first bytes of an HDF5 file. */
const SIGNATURE = [0x89, 0x48, 0x44, 0x46];

/** How many of its first bytes say where a file ends. */
export const HDF5_HEAD = 52;

/** Whether a file is one of HDF5, by its first bytes. */
export const isHdf5 = (bytes: Uint8Array) => SIGNATURE.every((byte, i) => bytes[i] === byte);

/** Values of an array in a file. */
export interface Hdf5Array {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/**
 * The groups of a file.
 *
 * @throws what the reader throws for a file that is damaged, now or when what is in it is read, and Error for one that is cut off.
 */
export function openHdf5(bytes: Uint8Array): Hdf5Item {
  if (bytes.length < endOfHdf5(bytes)) {
    throw new Error('cut off');
  }
  return new File(new Uint8Array(bytes).buffer, '');
}

/**
 * The address of its end that a file has in its superblock, of version 0, 1, or 2 (and 3): what nobody reads may be cut off too.
 *
 * @param head its first `HDF5_HEAD` bytes.
 */
export function endOfHdf5(head: Uint8Array): number {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const version = view.getUint8(8);
  return Number(view.getBigUint64(version === 0 ? 40 : version === 1 ? 44 : 28, true));
}

/** What a group holds under a name, undefined where it holds no such thing. */
export function child(group: Hdf5Item, name: string): Hdf5Item | undefined {
  return group.keys?.includes(name) ? group.get(name) : undefined;
}

/** @throws what is for the caller to put into words: it is no array of numbers, or lacks some. */
export function arrayOf({ shape, value, dtype }: Hdf5Item): Hdf5Array {
  if (shape === undefined || value === undefined || /S|O|V/.test(dtype ?? '')) {
    throw new Error('no numbers');
  }
  const list = typeof value === 'object' ? value : [value];
  const values = Float32Array.from(list as ArrayLike<number | bigint>, Number);
  if (values.length !== shape.reduce((product, size) => product * size, 1)) {
    throw new Error('numbers are missing');
  }
  return { shape, values };
}
