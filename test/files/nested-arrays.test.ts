import { expect, test } from 'vitest';
import { readNestedArrays } from '../../src/files/nested-arrays.js';

const read = (value: unknown) => readNestedArrays('x.json', Buffer.from(JSON.stringify(value)));
const samples = { shape: [2, 1], values: Float32Array.of(1, 2) };

test('an array, arrays by name, and { xs, ys } of either', () => {
  expect(read([[1], [2]])).toEqual({ arrays: new Map([['', samples]]) });
  expect(read({ a: [[1], [2]] })).toEqual({ arrays: new Map([['a', samples]]) });
  expect(read({ xs: [[1], [2]], ys: [[1], [2]] })).toEqual({
    arrays: new Map([['', samples]]),
    labels: new Map([['', samples]]),
  });
  expect(read({ xs: { a: [[1], [2]] }, ys: { c: [[1], [2]] } })).toEqual({
    arrays: new Map([['a', samples]]),
    labels: new Map([['c', samples]]),
  });
});

test.each<[value: unknown, line: RegExp]>([
  [3, /holds no arrays/],
  [null, /holds no arrays/],
  [[[1, 2], [3]], /rows of different lengths/],
  [[[1], 2], /rows of different lengths/],
  [[[1], ['2']], /has "2" where a number should be/],
  [[[1], [null]], /has null where/],
  [[[1], [20000001]], /whole numbers beyond 2\^24, 20000001 for one/],
  [[[1], [1e39]], /1e\+39, which is too large for float32/],
  [{ a: 1 }, /'x.json: a' is a single number/],
  [{ xs: [[1]], y: [1] }, /has 'y' beside xs, which nothing reads: labels are ys/],
])('%j is refused', (value, line) => {
  expect(() => read(value)).toThrow(line);
});
