import { expect, it } from 'vitest';
import { canonicalJson, fingerprintOfBytes, fingerprintOfData } from '../../src/measure/fingerprint.js';

// From mmh3 5, x64arch=False.
it.each([
  ['', '00000000000000000000000000000000'],
  ['abc', '75cdc6d1a2b006a5a2b006a5a2b006a5'],
  ['I will not buy this record, it is scratched.', 'a0a9683b25ac5e40d9af2895890dddf5'],
  ['0123456789abcdef0123456789ABCDEF!', '117f51358d89009782a54dca180c1f4c'],
])('of "%s" is that of MurmurHash3_x86_128', (text, expected) => {
  expect(fingerprintOfBytes(new TextEncoder().encode(text))).toBe(expected);
});

it('looks at its own part of a buffer, and at every bit of that', () => {
  const bytes = Uint8Array.from({ length: 50 }, (_, i) => 7 * i);
  const part = () => bytes.subarray(3, 40);
  const before = fingerprintOfBytes(part());
  expect(fingerprintOfBytes(part().slice())).toBe(before);
  const seen = new Set([before]);
  for (let i = 3; i < 40; i++) {
    for (let bit = 1; bit < 256; bit *= 2) {
      bytes[i]! ^= bit;
      seen.add(fingerprintOfBytes(part()));
      bytes[i]! ^= bit;
    }
  }
  expect(seen.size).toBe(1 + 37 * 8);
});

it('of data is the same whatever the order of keys, and another where a value is', () => {
  const data = { b: [1, { d: null, c: 'x' }], a: 0.1 };
  expect(canonicalJson(data)).toBe('{"a":0.1,"b":[1,{"c":"x","d":null}]}');
  const same = fingerprintOfData(data);
  expect(fingerprintOfData({ a: 0.1, b: [1, { c: 'x', d: null }], left: undefined })).toBe(same);
  for (const other of [
    { ...data, a: '0.1' },
    { ...data, b: [{ d: null, c: 'x' }, 1] },
    { ...data, e: null },
  ]) {
    expect(fingerprintOfData(other)).not.toBe(same);
  }
});
