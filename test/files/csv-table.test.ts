import { expect, test } from 'vitest';
import { readCsvTable } from '../../src/files/csv-table.js';

const read = (text: string, limit?: number) => readCsvTable('t.csv', Buffer.from(text), limit);

test('rows with a header and without, quoted, with a mark of byte order and Windows lines', async () => {
  const plain = await read('1,2\n3,4\n');
  expect(plain).toEqual({ arrays: new Map([['', { shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) }]]) });
  expect(await read('\ufeffa,b\r\n1,"2"\r\n\r\n3, 4\r\n')).toEqual(plain);
});

test('a column of labels stands apart, wherever it is', async () => {
  const { arrays, labels } = await read('x1,Label,x2\n1,0,2\n3,1,4\n');
  expect(arrays.get('')).toEqual({ shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) });
  expect(labels!.get('')).toEqual({ shape: [2, 1], values: Float32Array.of(0, 1) });
  expect((await read('label,0,1\n5,1,2\n')).arrays.get('')!.values).toEqual(Float32Array.of(1, 2));
  expect((await read('y\n1\n')).arrays.size).toBe(0);
});

test('names of columns may be words that elsewhere stand for a missing number', async () => {
  const { arrays, labels } = await read('RI,Na,None,Inf,class\n1,2,3,4,0\n');
  expect(arrays.get('')).toEqual({ shape: [1, 4], values: Float32Array.of(1, 2, 3, 4) });
  expect(labels!.get('')!.values).toEqual(Float32Array.of(0));
});

test('no more rows than wanted, and others have their turn between blocks', async () => {
  expect((await read('a,b\n1,2\n3,4\nx,y\n', 2)).arrays.get('')).toEqual({
    shape: [2, 2],
    values: Float32Array.of(1, 2, 3, 4),
  });
  expect((await read('1,2\n3,4\n5,6\n', 1)).arrays.get('')!.shape).toEqual([1, 2]);
  let turns = 0;
  const count = setInterval(() => turns++, 0);
  const text = `${'1,2,3,4,5,6,7,8\n'.repeat(200_000)}`;
  expect((await read(text)).arrays.get('')!.shape).toEqual([200_000, 8]);
  clearInterval(count);
  expect(turns).toBeGreaterThan(1);
});

test('what pandas writes: columns that are counted, and the index', async () => {
  const samples = { shape: [2, 3], values: Float32Array.of(5, 6, 7, 8, 9, 10) };
  for (const text of [
    '0,1,2\n5,6,7\n8,9,10\n',
    ',0,1,2\n0,5,6,7\n1,8,9,10\n',
    ',a,b,c\n0,5,6,7\n1,8,9,10\n',
    '0,1,2,target\n5,6,7,1\n8,9,10,0\n',
  ]) {
    expect((await read(text)).arrays.get('')).toEqual(samples);
  }
  expect((await read('1,2,3\n5,6,7\n')).arrays.get('')!.shape).toEqual([2, 3]);
  expect((await read('0\n1\n')).arrays.get('')!.shape).toEqual([2, 1]);
});

test.each([
  ['', /has no rows/],
  ['a,b\n', /has no rows/],
  ['a,b\n1,2\n3\n', /is not a table: .*3/],
  ['a,b\n1,"2\n', /is not a table/],
  ['a,b\n1,2\n3,x\n', /row 3: 'x' in column b is not a number/],
  ['1,2\n3,\n', /row 2: '' in column 2/],
  // A first row with a number that is missing is no header.
  ['1,NA\n3,4\n', /row 1: 'NA'/],
  ['NA,?\n3,4\n', /row 1: 'NA'/],
  // Nor is one with a cell that is broken.
  ['1.5,x\n3,4\n', /row 1: 'x' in column 2 is not a number/],
  ['0,x\n3,4\n', /row 1: 'x'/],
  ['0,1\n1,0\n', /begins with 0,1, which may be a sample or names of columns: give/],
  ['1,1e999\n', /row/],
  ['id,x\n20000001,1\n', /whole numbers beyond 2\^24, 20000001 for one, which float32 would round: divide all/],
  ['1,2\n3,1e39\n', /1e\+39, which is too large for float32/],
])('%j is refused in one line', async (text, line) => {
  await expect(read(text)).rejects.toThrow(line);
  await expect(read(text)).rejects.toThrow(/^[^\n]*$/);
});

test('what is large is measured where it has a point or an exponent, or float32 has it', async () => {
  const { arrays } = await read('a,b,c\n20000001.0,2e10,20000002\n');
  expect([...arrays.get('')!.values]).toEqual([20000000, 2e10, 20000002]);
});
