import { mkdirSync, writeFileSync } from 'node:fs';
import { zipSync } from 'fflate';
import { beforeAll, expect, test } from 'vitest';
import { isModule, readDataFile, readDataModule } from '../../src/files/data-file.js';
import { npy, testFolder } from './saved-model.js';

const folder = testFolder();
const samples = { shape: [2, 1], values: Float32Array.of(1, 2) };
const floats = new Uint8Array(samples.values.buffer);

beforeAll(() => {
  const write = (name: string, content: string | Uint8Array) => writeFileSync(folder.at(name), content);
  write('x.npy', npy([2, 1], [1, 2]));
  write('X.NPY', npy([2, 1], [1, 2]));
  write('x.npz', zipSync({ 'x.npy': npy([2, 1], [1, 2]), 'y.npy': npy([2], [0, 1]), 'readme.txt': Uint8Array.of(1) }));
  write('none.npz', zipSync({ 'readme.txt': Uint8Array.of(1) }));
  write('x.csv', '1\n2\n');
  write('x.json', '[[1], [2]]');
  write('named.json', '{ "xs": { "a": [[1], [2]] }, "ys": { "b": [[1], [2]] } }');
  write('x.bin', floats);
  write('t10k-images-idx2-ubyte', Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 1, 2));
  write('x.txt', '1 2');
  write('data.mjs', 'export default { xs: 1 };');
  write('made.mjs', 'export default async () => ({ xs: 1 });');
  write('none.mjs', 'export const xs = 1;');
  write('nothing.mjs', 'export default () => {};');
  mkdirSync(folder.at('empty'));
});

test.each(['x.npy', 'X.NPY', 'x.csv', 'x.json', 'x.bin', 't10k-images-idx2-ubyte'])('%s', async (name) => {
  expect((await readDataFile(folder.at(name), [null, 1], 9)).arrays).toEqual(new Map([['', samples]]));
});

test('arrays of an archive by name, and one of several behind a #', async () => {
  const { arrays } = await readDataFile(folder.at('x.npz'), [null, 1], 9);
  expect([...arrays.keys()]).toEqual(['x', 'y']);
  for (const one of ['x.npz#x', 'named.json#a', 'named.json#b']) {
    expect(await readDataFile(folder.at(one), [null, 1], 9)).toEqual({ arrays: new Map([['', samples]]) });
  }
  await expect(readDataFile(folder.at('x.npz#z'), [null, 1], 9)).rejects.toThrow(
    /x\.npz' has no array 'z', only x, y\.$/,
  );
});

test.each([
  ['none.npz', /has no arrays: save it with numpy\.savez/],
  ['x.txt', /is no data that is known/],
  ['empty', /has no PNG or JPEG images/],
  ['none.npy', /there is no such file/],
])('%s is refused', async (name, line) => {
  await expect(readDataFile(folder.at(name), [null, 3], 9)).rejects.toThrow(line);
});

test('floats without a shape take that of the input', async () => {
  const read = (...input: (number | null)[]) => readDataFile(folder.at('x.bin'), input, 9);
  expect((await read(null, 1, 2)).arrays.get('')!.shape).toEqual([1, 1, 2]);
  await expect(read(null, 3)).rejects.toThrow('8 bytes, which is no number of float32 samples of [3]: it is cut off');
  await expect(read(null, null, 2)).rejects.toThrow(/has no shape, and the model takes any: save it as \.npy/);
});

test('a module exports data, or makes them', async () => {
  expect(['a.js', 'a.mjs', 'a.cjs', 'a.json', 'js'].map(isModule)).toEqual([true, true, true, false, false]);
  expect(await readDataModule(folder.at('data.mjs'))).toEqual({ data: { xs: 1 }, isOwn: false });
  expect(await readDataModule(folder.at('made.mjs'))).toEqual({ data: { xs: 1 }, isOwn: true });
  for (const name of ['none.mjs', 'nothing.mjs']) {
    await expect(readDataModule(folder.at(name))).rejects.toThrow(/has no default export: export default a tensor/);
  }
});
