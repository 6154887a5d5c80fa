import { describe, expect, it } from 'vitest';
import { counted, distinctNames, enumerate, enumerateNames } from '../src/names.js';

it('what is counted is one or several', () => {
  expect([0, 1, 2].map((number) => counted(number, 'input'))).toEqual(['0 inputs', '1 input', '2 inputs']);
});

describe('names in a sentence', () => {
  it.each([
    [[], ''],
    [['a'], 'a'],
    [['a', 'b'], 'a and b'],
    [['a', 'b', 'c'], 'a, b and c'],
  ])('%j reads as %j', (texts, sentence) => {
    expect(enumerate(texts)).toBe(sentence);
  });

  it('are quoted, and counted from the fifth on', () => {
    expect(enumerateNames(['a', 'b'])).toBe("'a' and 'b'");
    expect(enumerateNames(new Set(['a', 'b', 'c', 'd']))).toBe("'a', 'b', 'c' and 'd'");
    expect(enumerateNames(['a', 'b', 'c', 'd', 'e'])).toBe("'a', 'b', 'c' and 2 more");
  });
});

it('names that occur again are numbered, past the names that there are', () => {
  expect(distinctNames(['a', 'b', 'a', 'a'])).toEqual(['a', 'b', 'a_2', 'a_3']);
  expect(distinctNames(['a', 'a', 'a_2', 'a_2'])).toEqual(['a', 'a_3', 'a_2', 'a_2_2']);
  expect(distinctNames([])).toEqual([]);
});
