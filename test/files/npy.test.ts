import { expect, test } from 'vitest';
import { npyBytes, readNpy } from '../../src/files/npy.js';

function npy(descr: string, fortran: boolean, shape: string, bytes: Uint8Array): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${shape}, }\n`;
  const start = [0x93, ...Buffer.from('NUMPY'), 1, 0, header.length & 255, header.length >> 8, ...Buffer.from(header)];
  return Uint8Array.from([...start, ...bytes]);
}

test('byte orders, kinds of numbers and orders of axes', () => {
  const big = new Uint8Array(new Uint16Array([0x0100, 0x0200]).buffer);
  expect(readNpy('x', npy('>i2', false, '(2,)', big))).toEqual({ shape: [2], values: Float32Array.of(1, 2) });
  const columns = npy('|u1', true, '(2, 3)', Uint8Array.of(1, 4, 2, 5, 3, 6));
  expect([...readNpy('x', columns).values]).toEqual([1, 2, 3, 4, 5, 6]);
  const halves = new Uint8Array(new Uint16Array([0x3c00, 0xc000, 0x0001]).buffer);
  expect([...readNpy('x', npy('<f2', false, '(3,)', halves)).values]).toEqual([1, -2, 2 ** -24]);
});

test('what is cut off or too large is refused', () => {
  expect(() => readNpy('x', npy('<f4', false, '(2,)', new Uint8Array(4)))).toThrow(/4 bytes of numbers, but \[2\]/);
  const large = new Uint8Array(new BigInt64Array([2n ** 40n + 1n]).buffer);
  expect(() => readNpy('x', npy('<i8', false, '(1,)', large))).toThrow(/beyond 2\^24/);
  const double = new Uint8Array(new Float64Array([1e39]).buffer);
  expect(() => readNpy('x', npy('<f8', false, '(1,)', double))).toThrow(/1e\+39, which is too large for float32/);
  expect(() => readNpy('x', Uint8Array.of(1, 2))).toThrow(/not an \.npy file/);
});

test('the first samples alone, by as many bytes as they take', () => {
  const values = new Uint8Array(new Float32Array([1, 2, 3, 4, 5, 6]).buffer);
  const whole = npy('<f4', false, '(3, 2)', values);
  const needed = npyBytes('x', whole, whole.length, 2);
  expect(needed).toBe(whole.length - 8);
  expect(readNpy('x', whole.subarray(0, needed), 2)).toEqual({ shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) });
  expect(npyBytes('x', whole, whole.length, 9)).toBe(whole.length);
  expect(() => npyBytes('x', whole, whole.length - 1, 1)).toThrow(/it is cut off or damaged/);
  // Fewer than the header says, with a limit behind the end and one before it.
  for (const limit of [1, 2]) {
    expect(() => readNpy('x', whole.subarray(0, whole.length - 12), limit)).toThrow(
      /^'x' has 12 bytes of numbers, but/,
    );
  }
  expect(readNpy('x', whole, 1).shape).toEqual([1, 2]);
  // Rows that do not lie together.
  const columns = npy('<f4', true, '(3, 2)', values);
  expect(npyBytes('x', columns, columns.length, 1)).toBe(columns.length);
  expect(readNpy('x', columns, 1).shape).toEqual([3, 2]);
});

test('whole numbers of 64 bits, of both signs', () => {
  const numbers = [0n, -1n, -(2n ** 20n) - 3n, 2n ** 24n, -(2n ** 24n)];
  const bytes = new Uint8Array(new BigInt64Array(numbers).buffer);
  expect([...readNpy('x', npy('<i8', false, '(5,)', bytes)).values]).toEqual(numbers.map(Number));
  expect([
    ...readNpy('x', npy('>i8', false, '(1,)', Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 254))).values,
  ]).toEqual([-2]);
  for (const number of [2n ** 24n + 1n, 2n ** 62n + 1n]) {
    const large = npy('<u8', false, '(1,)', new Uint8Array(new BigUint64Array([number]).buffer));
    expect(() => readNpy('x', large)).toThrow(/beyond 2\^24/);
  }
});
