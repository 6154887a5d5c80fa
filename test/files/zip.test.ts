import { zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { unzip } from '../../src/files/zip.js';

test('only what is wanted', () => {
  const packed = zipSync({ a: Uint8Array.of(1, 2), b: Uint8Array.of(3), 'c/d': [Uint8Array.of(4), { level: 0 }] });
  expect(unzip('x', packed, (name) => name !== 'b')).toEqual(
    new Map([
      ['a', Uint8Array.of(1, 2)],
      ['c/d', Uint8Array.of(4)],
    ]),
  );
});

test('what would fill the memory is not unpacked', () => {
  const bomb = zipSync({ 'a.npy': new Uint8Array(2 ** 25), b: Uint8Array.of(1) });
  expect(bomb.length).toBeLessThan(2 ** 16);
  expect(() => unzip('x.npz', bomb, () => true)).toThrow(
    "'x.npz' is refused: a.npy in it would grow beyond what arrays of numbers do.",
  );
  expect(unzip('x.npz', bomb, (name) => name === 'b').size).toBe(1);
});

test('a size in the header that is too small unpacks no more than it says', () => {
  const packed = zipSync({ a: new Uint8Array(1000) }, { level: 9 });
  const view = new DataView(packed.buffer, packed.byteOffset);
  for (let at = 0; at < packed.length - 4; at++) {
    if (view.getUint32(at, true) === 1000) {
      view.setUint32(at, 10, true);
    }
  }
  try {
    expect(unzip('x', packed, () => true).get('a')!.length).toBe(10);
  } catch (error) {
    expect(String(error)).toContain('cut off or damaged');
  }
});

test.each([0, 3, 20, 60])('what is cut off after %i bytes is refused', (length) => {
  const packed = zipSync({ a: new Uint8Array(100).map((_, i) => i) });
  expect(() => unzip('x.keras', packed.subarray(0, length), () => true)).toThrow(
    "'x.keras' is cut off or damaged: copy it again.",
  );
});

test.each([0, 9] as const)('a bit that has turned over is found, packed at level %i', (level) => {
  const packed = zipSync({ first: Uint8Array.of(5), a: new Uint8Array(64).map((_, i) => i * 7) }, { level });
  // Behind the header of the second file, well inside its content.
  const at = Buffer.from(packed).indexOf('a', 40) + 20;
  packed[at]! ^= 4;
  expect(() => unzip('x.npz', packed, () => true)).toThrow(
    /^'x\.npz' is (cut off or )?damaged[^\n]*: copy it again\.$/,
  );
  expect(unzip('x.npz', packed, (name) => name === 'first').get('first')).toEqual(Uint8Array.of(5));
});
