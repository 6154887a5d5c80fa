import { expect, test } from 'vitest';
import { compareReadings, flattest, unlikeReadings } from '../../src/files/reading-comparison.js';
import type { SharpnessReading } from '../../src/measure/reading.js';
import { type DrawnValues, errorOfDifference } from '../../src/traces/sampling/paired.js';

const reading = (minimumSharpness: number, standardError = 0, others: Partial<SharpnessReading> = {}) =>
  ({ minimumSharpness, standardError, reliable: true, samples: 10, exact: true, ...others }) as SharpnessReading;

const none = new Map();

test('differences to the first, or to another, with the root of both errors squared', () => {
  const readings = new Map([
    ['a', reading(10, 0.3)],
    ['b', reading(12, 0.4)],
    ['c', reading(9.1, 0.4)],
    ['d', reading(20, 1, { reliable: false })],
    ['e', reading(8)],
  ]);
  expect(compareReadings(readings, none).map(({ reading: _, ...rest }) => rest)).toEqual([
    { model: 'a' },
    { model: 'b', difference: 2, differenceError: 0.5, paired: false, verdict: 'sharper' },
    { model: 'c', difference: 9.1 - 10, differenceError: 0.5, paired: false, verdict: 'same' },
    { model: 'd', difference: 10, differenceError: Math.hypot(1, 0.3), paired: false, verdict: 'unknown' },
    { model: 'e', difference: -2, differenceError: 0.3, paired: false, verdict: 'flatter' },
  ]);
  expect(compareReadings(readings, none, 'e')[0]).toMatchObject({ difference: 2, verdict: 'sharper' });
  expect(() => compareReadings(readings, none, 'f')).toThrow(
    "there is no reading of 'f' to compare with, only of a, b, c, d, e.",
  );
  expect(compareReadings(new Map(), none)).toEqual([]);
});

test('exact readings differ by their number, but for what float32 rounds', () => {
  const [, rounded, other] = compareReadings(
    new Map([
      ['a', reading(100)],
      ['b', reading(100.0005)],
      ['c', reading(100.01)],
    ]),
    none,
  );
  expect([rounded!.verdict, other!.verdict]).toEqual(['same', 'sharper']);
  const [, infinite] = compareReadings(
    new Map([
      ['a', reading(1)],
      ['b', reading(Number.POSITIVE_INFINITY)],
    ]),
    none,
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
  expect(flattest(readings, none)).toEqual({ names: ['b', 'a'], atHigherLoss: [] });
  const dead = new Map([['dead', reading(0, 0, { collapsed: true })]]);
  expect(flattest(dead, none)).toEqual({ names: [], atHigherLoss: [] });
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

test('the flattest of similar loss, since MS is low where little has been learned', () => {
  const readings = new Map([
    ['start', reading(0.6, 0, { loss: 1.6 })],
    ['middle', reading(3, 0, { loss: 0.104 })],
    ['end', reading(4, 0, { loss: 0.1 })],
    ['dead', reading(0, 0, { loss: 0.01, collapsed: true })],
  ]);
  expect(flattest(readings, none)).toEqual({
    names: ['middle'],
    lowestLoss: 0.1,
    atHigherLoss: [{ name: 'start', loss: 1.6 }],
  });
  // Losses that are not all known say nothing.
  const unknown = new Map([...readings, ['new', reading(5)] as const]);
  expect(flattest(unknown, none)).toEqual({ names: ['start'], atHigherLoss: [] });
});

test('pairs that both have drawn make the error, unless they are too few', () => {
  const sample = (shift: number): DrawnValues => {
    const places = Array.from({ length: 100 }, (_, i) => i);
    const inclusion = places.map(() => 0.5);
    return { places, inclusion, values: places.map((i) => 0.05 * (1 + (i % 7)) + 0.001 * shift * (i % 5)) };
  };
  const [one, other] = [sample(0), sample(1)];
  const readings = new Map([
    ['a', reading(40, 1)],
    ['b', reading(40.4, 1)],
  ]);
  const drawn = new Map([
    ['a', one],
    ['b', other],
  ]);
  const { standardError } = errorOfDifference(one, other);
  expect(standardError).toBeLessThan(0.05);
  expect(compareReadings(readings, none)[1]).toMatchObject({ verdict: 'same', paired: false });
  expect(compareReadings(readings, drawn)[1]).toMatchObject({
    verdict: 'sharper',
    paired: true,
    differenceError: standardError,
  });
  expect(flattest(readings, none).names).toEqual(['a', 'b']);
  expect(flattest(readings, drawn).names).toEqual(['a']);
  const few = new Map(
    [...drawn].map(([name, { places, inclusion, values }]) => [
      name,
      { places: places.slice(0, 10), inclusion: inclusion.slice(0, 10), values: values.slice(0, 10) },
    ]),
  );
  expect(compareReadings(readings, few)[1]).toMatchObject({ verdict: 'same', paired: false });
});

test('an error is that of pairs which both have drawn only where both have drawn some', () => {
  const places = Array.from({ length: 100 }, (_, i) => i);
  const sampled: DrawnValues = {
    places,
    inclusion: places.map(() => 0.5),
    values: places.map((i) => 0.05 * (1 + (i % 7))),
  };
  const exact: DrawnValues = { places: [], inclusion: [], values: [] };
  const readings = new Map([
    ['a', reading(40)],
    ['b', reading(40)],
    ['c', reading(41, 0.3)],
  ]);
  const drawn = new Map([
    ['a', exact],
    ['b', exact],
    ['c', sampled],
  ]);
  const [, b, c] = compareReadings(readings, drawn);
  expect(b).toMatchObject({ differenceError: 0, paired: false, verdict: 'same' });
  expect(c).toMatchObject({ differenceError: 0.3, paired: false, verdict: 'sharper' });
});
