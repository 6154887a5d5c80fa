import { expect, test } from 'vitest';
import { parseJson } from '../../src/files/json-text.js';

test('JSON, also behind a mark of byte order', () => {
  expect(parseJson('x', Buffer.from('\ufeff{"a": [1]}'))).toEqual({ a: [1] });
});

test.each([
  ['', /is not JSON but empty/],
  ['<!doctype html><html>', /a page of HTML/],
  ['version https://git-lfs.github.com/spec/v1\noid sha256:1', /git lfs pull/],
  ['{"a": [1', /cut off or damaged/],
  ['\u0000\u0001', /something else/],
])('of %j it says what it is', (text, line) => {
  expect(() => parseJson('model.json', Buffer.from(text))).toThrow(line);
  expect(() => parseJson('model.json', Buffer.from(text))).toThrow(/^'model\.json' is not JSON[^\n]*$/);
});
