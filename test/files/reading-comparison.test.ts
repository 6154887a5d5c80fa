import { expect, test } from 'vitest';
import { compareReadings, flattest, unlikeReadings } from '../../src/files/reading-comparison.js';
import type { SharpnessReading } from '../../src/measure/reading.js';

const reading = (minimumSharpness: number, standardError = 0, others: Partial<SharpnessReading> = {}) =>
  ({ minimumSharpness, standardError, reliable: true, samples: 10, exact: true, ...others }) as SharpnessReading;

test('differences to the first, or to another, with the root of both errors squared', () => {
  const readings = new Map([
    ['a', reading(10, 0.3)],
    ['b', reading(12, 0.4)],
    ['c', reading(9.1, 0.4)],
    ['d', reading(20, 1, { reliable: false })],
    ['e', reading(8)],
  ]);
  expect(compareReadings(readings).map(({ reading: _, ...rest }) => rest)).toEqual([
    { model: 'a' },
    { model: 'b', difference: 2, differenceError: 0.5, verdict: 'sharper' },
    { model: 'c', difference: 9.1 - 10, differenceError: 0.5, verdict: 'same' },
    { model: 'd', difference: 10, differenceError: Math.hypot(1, 0.3), verdict: 'unknown' },
    { model: 'e', difference: -2, differenceError: 0.3, verdict: 'flatter' },
  ]);
  expect(compareReadings(readings, 'e')[0]).toMatchObject({ difference: 2, verdict: 'sharper' });
  expect(() => compareReadings(readings, 'f')).toThrow(
    "there is no reading of 'f' to compare with, only of a, b, c, d, e.",
  );
  expect(compareReadings(new Map())).toEqual([]);
});

test('exact readings differ by their number, but for what float32 rounds', () => {
  const [, rounded, other] = compareReadings(
    new Map([
      ['a', reading(100)],
      ['b', reading(100.0005)],
      ['c', reading(100.01)],
    ]),
  );
  expect([rounded!.verdict, other!.verdict]).toEqual(['same', 'sharper']);
  const [, infinite] = compareReadings(
    new Map([
      ['a', reading(1)],
      ['b', reading(Number.POSITIVE_INFINITY)],
    ]),
  );
  expect(infinite!.verdict).toBe('unknown');
});

test('the flattest, and those that cannot be told from it', () => {
  const readings = new Map([
    ['a', reading(3, 0.2)],
    ['b', reading(2.9, 0.2)],
    ['c', reading(4, 0.2)],
    ['dead', reading(0, 0, { collapsed: true })],
    ['rough', reading(1, 1, { reliable: false })],
  ]);
  expect(flattest(readings)).toEqual(['b', 'a']);
  expect(flattest(new Map([['dead', reading(0, 0, { collapsed: true })]]))).toEqual([]);
  expect(unlikeReadings(readings)).toEqual(['dead has collapsed: that it is flat is no good sign.']);
});

test('what readings should have in common', () => {
  const other = reading(1, 0, { samples: 5, exact: false });
  expect(
    unlikeReadings(
      new Map([
        ['a', reading(1)],
        ['b', other],
      ]),
    ),
  ).toEqual([
    'Readings are of 10, 5 samples: compare those of the same data.',
    'Some traces are those of the Hessian, others of its Gauss-Newton part: compare those measured by the same method.',
  ]);
});
