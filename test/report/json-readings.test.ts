import { expect, it } from 'vitest';
import { readJson } from '../../src/report/json-readings.js';
import { bytes, found, reading } from './readings.js';

const read = (value: unknown) => found((take) => readJson('x.json', bytes(JSON.stringify(value)), take));

it('reads one reading, a list, and an object of lists by their names', () => {
  expect(read(reading(1, 2)).objects).toHaveLength(1);
  expect(read([reading(1, 2), reading(2, 2), 7]).objects).toHaveLength(2);
  expect(read({ sgd: [reading(1, 2)], sam: [reading(1, 3)], seeds: [1, 2] }).parts).toEqual(['sgd', 'sam']);
  expect(read({ readings: [reading(1, 2)], of: 'today' }).parts).toEqual([undefined]);
});

it('says that it was cut off', () => {
  expect(() => readJson('x.json', bytes('[{"a":1},\n{"a"'), () => {})).toThrow(
    /^'x.json' is no JSON, or was cut off: [^\n]+$/,
  );
});
