import { expect, it } from 'vitest';
import { readJsonLines } from '../../src/report/json-lines.js';
import { bytes, found } from './readings.js';

const read = (text: string) => found((take) => readJsonLines(bytes(text), take));

it('reads an object a line, and counts lines that are broken: in the midst, and the last of a program that was killed', () => {
  const { objects, result } = read('{"a":1}\r\n\n{"a":2\n{"a":3}\0\0\n\0\0\0\n{"a":4}\n{"a":');
  expect(objects).toEqual([{ a: 1 }, { a: 4 }]);
  expect(result).toEqual(['3 broken lines left out, the first is line 3']);
});

it('takes a last line without a line break, and says nothing of whole files', () => {
  expect(read('{"a":1}\n{"a":2}')).toMatchObject({ objects: [{ a: 1 }, { a: 2 }], result: [] });
});

it('a first line may be broken too', () => {
  expect(read('{"step":1,"minimumSh\n{"a":2}')).toMatchObject({
    objects: [{ a: 2 }],
    result: [expect.stringMatching('line 1')],
  });
});

it('leaves JSON over several lines, and arrays, to another reader', () => {
  expect(read('[{"a":1}]').result).toBeUndefined();
  expect(read('[\n{"a":1}\n]').result).toBeUndefined();
  expect(read('{\n  "a": 1\n}').result).toBeUndefined();
});

it('lines of several runs are told from each other by their run', () => {
  const runs: (string | undefined)[] = [];
  readJsonLines(bytes('{"run":"sgd","a":1}\n{"a":2}\n{"run":"adam","a":3}'), (_, run) => runs.push(run));
  expect(runs).toEqual(['sgd', undefined, 'adam']);
});
