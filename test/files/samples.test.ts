import { expect, test } from 'vitest';
import {
  firstSamples,
  float32Of,
  namesOf,
  onlyArray,
  onlyLabels,
  onlyPredictions,
  samplesOf,
} from '../../src/files/samples.js';

test('numbers have to fit into float32, and whole ones to stay as they are', () => {
  expect(float32Of('x', 2 ** 24, true)).toBe(2 ** 24);
  expect(() => float32Of('x', 2 ** 24 + 1, true)).toThrow(/^x has whole numbers beyond 2\^24/);
  expect(float32Of('x', 2 ** 24 + 1)).toBe(2 ** 24);
  expect(() => float32Of('x', -1e39)).toThrow(/^x has -1e\+39, which is too large for float32/);
  // What is none in the file is for the reading to tell.
  expect(float32Of('x', Number.NEGATIVE_INFINITY)).toBe(Number.NEGATIVE_INFINITY);
  expect(float32Of('x', Number.NaN)).toBeNaN();
});

test('a shape has to fit the numbers', () => {
  expect(() => samplesOf('x', [2, 2], Float32Array.of(1, 2, 3))).toThrow(
    'x has 3 numbers, but its shape [2, 2] means 4',
  );
  expect(() => samplesOf('x', [], Float32Array.of(1))).toThrow(/a single number/);
});

test('the first samples', () => {
  const samples = samplesOf('x', [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6));
  expect(firstSamples(samples, 2)).toEqual({ shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) });
  expect(firstSamples(samples, 5)).toEqual(samples);
});

test('one array of a file', () => {
  const [a, b] = [samplesOf('a', [1], Float32Array.of(1)), samplesOf('b', [1], Float32Array.of(2))];
  expect(onlyArray('x', { arrays: new Map([['', a]]), labels: new Map([['', b]]) })).toBe(a);
  expect(onlyArray('x', { arrays: new Map(), labels: new Map([['', b]]) })).toBe(b);
  const both = { arrays: new Map([['', a]]), labels: new Map([['', b]]) };
  expect(onlyLabels('x', both)).toBe(b);
  expect(onlyLabels('x', { arrays: both.arrays })).toBe(a);
  expect(onlyPredictions('x', { arrays: both.arrays })).toBe(a);
  expect(() => onlyPredictions('x', both)).toThrow("'x' has labels beside other numbers");
  const several = new Map([
    ['a', a],
    ['b', b],
  ]);
  expect(() => onlyArray('x.npz', { arrays: several })).toThrow(
    "'x.npz' has several arrays, a, b: name one behind a #, x.npz#a.",
  );
  expect(namesOf(new Map([['', a]]))).toBe('one without a name');
});
