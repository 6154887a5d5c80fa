import { expect, it } from 'vitest';
import { checkField, numberOf } from '../../../src/training/streams/field.js';
import { readingOf } from './readings.js';

it('a field is named by text', () => {
  expect(() => checkField('trend', 'trace')).not.toThrow();
  for (const [field, shown] of [
    ['', "''"],
    [undefined, 'undefined'],
    [3, '3'],
  ]) {
    expect(() => checkField('trend', field)).toThrow(
      `trend: field must name a number of the readings, for example 'minimumSharpness', but it is ${shown}.`,
    );
  }
});

it('its number is read, also where it is none that is finite', () => {
  const reading = { ...readingOf(2), standardError: Number.NaN };
  expect(numberOf('trend', reading, 'trace')).toBe(4);
  expect(numberOf('trend', reading, 'standardError')).toBeNaN();
});

it('where there is no such number, those that there are are listed', () => {
  for (const field of ['exact', 'parameters', 'sharpness', 'step']) {
    expect(() => numberOf('trend', readingOf(2), field)).toThrow(
      `trend: the readings have no number "${field}", only minimumSharpness, standardError, trace, samples, pairs, durationMs.`,
    );
  }
  expect(() => numberOf('trend', { name: 'a' }, 'trace')).toThrow(
    'trend: the readings have no number "trace", only none.',
  );
});
