import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { readIdx } from '../../src/files/idx.js';

const bytes = Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255);
const samples = { shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 255) };

test('bytes, also packed', () => {
  expect(readIdx('x', bytes)).toEqual(samples);
  expect(readIdx('x', gzipSync(bytes))).toEqual(samples);
});

test('the other kinds of numbers are big-endian', () => {
  const of = (type: number, ...content: number[]) => [
    ...readIdx('x', Uint8Array.of(0, 0, type, 1, 0, 0, 0, 1, ...content)).values,
  ];
  expect(of(9, 255)).toEqual([-1]);
  expect(of(11, 1, 2)).toEqual([258]);
  expect(of(12, 0, 0, 1, 0)).toEqual([256]);
  expect(of(13, 0x3f, 0x80, 0, 0)).toEqual([1]);
  expect(of(14, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0)).toEqual([1]);
  expect(() => of(12, 1, 0, 0, 1)).toThrow(/whole numbers beyond 2\^24/);
  expect(() => of(14, 0x7f, 0, 0, 0, 0, 0, 0, 0)).toThrow(/too large for float32/);
});

test.each<[kind: string, bytes: Uint8Array, line: RegExp]>([
  ['empty', Uint8Array.of(), /not an IDX file/],
  ['of no type', Uint8Array.of(0, 0, 7, 1, 0, 0, 0, 0), /not an IDX file/],
  ['cut off in its header', bytes.subarray(0, 9), /not an IDX file/],
  ['cut off', bytes.subarray(0, 15), /3 bytes of numbers, but its header speaks of 6/],
  ['too long', Uint8Array.of(...bytes, 1), /7 bytes of numbers/],
  ['packed and cut off', gzipSync(bytes).subarray(0, 20), /cut off or damaged/],
])('a file that is %s is refused', (_, content, line) => {
  expect(() => readIdx('x', content)).toThrow(line);
});
