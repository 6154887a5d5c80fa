import { expect, it } from 'vitest';
import { csvLine, readingRow } from '../../src/measure/reading-row.js';
import { readCsvReadings } from '../../src/report/csv-readings.js';
import { bytes, found, reading } from './readings.js';

const read = (text: string) => found((take) => readCsvReadings(bytes(text), take));

it('reads what csvWriter writes', () => {
  const row = readingRow(reading(10, 5, { logs: { loss: 0.5 } }) as never);
  const { objects, result } = read(`${csvLine([...row.keys()])}\n${csvLine([...row.values()])}\n`);
  expect(result).toEqual([]);
  expect(objects).toMatchObject([
    {
      step: 10,
      minimumSharpness: 5,
      reliable: true,
      method: 'sampled',
      scales: [{ layer: 'first', alpha: 0.5 }],
      parameters: [{ layer: 'first', trace: 10 }, { layer: 'first', trace: 2 }, { layer: 'head' }],
      logs: { loss: 0.5 },
      assumptions: ['The frozen weights of first are left out.'],
    },
  ]);
});

it('reads what pandas makes of it: an index, floats for whole numbers, True, inf, and empty cells for NaN', () => {
  const { objects } = read(',step,minimumSharpness,reliable,alpha/a\n0,10.0,inf,True,\n1,20.0,,False,2.5\n');
  expect(objects).toMatchObject([
    { step: 10, minimumSharpness: Number.POSITIVE_INFINITY, reliable: true, scales: [] },
    { step: 20, minimumSharpness: Number.NaN, reliable: false, scales: [{ layer: 'a', alpha: 2.5 }] },
  ]);
});

it('reads other delimiters, headers that come again, and runs; counts rows that were cut off', () => {
  expect(read('step;minimumSharpness\r\n1;2,5\r\n1;2.5\r\n').objects).toHaveLength(2);
  const { objects, parts, result } = read('run,step,minimumSharpness\na,1,2\nrun,step,minimumSharpness\n=1+1,1,3\nb,2');
  expect(objects).toHaveLength(2);
  expect(parts).toEqual(['a', '=1+1']);
  expect(result).toEqual(['1 row left out, which do not have the columns of the header']);
});

it('a header that comes again may be another one', () => {
  const { objects, result } = read(
    'step,minimumSharpness,alpha/a\n1,2,3\nstep,minimumSharpness,alpha/b,alpha/c\n2,2,7,8\n3,2,4\n',
  );
  expect(objects).toMatchObject([
    { step: 1, scales: [{ layer: 'a', alpha: 3 }] },
    {
      step: 2,
      scales: [
        { layer: 'b', alpha: 7 },
        { layer: 'c', alpha: 8 },
      ],
    },
  ]);
  expect(result).toEqual(['1 row left out, which do not have the columns of the header']);
});

it('is not for tables of something else', () => {
  expect(read('a,b\n1,2\n').result).toBeUndefined();
  expect(read('<!doctype html><html>').result).toBeUndefined();
  expect(read('\x89PNG\r\n\x1a\n"""').result).toBeUndefined();
});
