import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { unzipSync, zipSync } from 'fflate';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { measureCommand } from '../../src/files/measure-command.js';
import { denseModel, npy, saveModel, testFolder } from './saved-model.js';

const folder = testFolder();
const keras = readFileSync('test/fixtures/keras3/reg.keras');
const inArchive = unzipSync(keras);

beforeAll(async () => {
  await saveModel(denseModel(), folder.at('model'), { loss: 'categorical_crossentropy' });
  writeFileSync(folder.at('x.npy'), npy([2, 3], [1, 2, 3, 0, 1, 0]));
  writeFileSync(folder.at('secret.bin'), new Uint8Array(32));
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Measures, and wants one line on standard error, exit code 2, nothing printed and nothing written. */
async function refused(model: string, data: string, more: object = {}): Promise<string> {
  const before = { tensors: tf.memory().numTensors, files: readdirSync(folder.path).length };
  const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const error = vi.spyOn(console, 'error').mockReturnValue();
  const warn = vi.spyOn(console, 'warn').mockReturnValue();
  const complaints: [string, number][] = [];
  const options = { backend: 'cpu', data: [data], json: true, ...more } as const;
  await measureCommand([model], options, (line, code) => complaints.push([line, code]));
  expect([out, error, warn].map(({ mock }) => mock.calls)).toEqual([[], [], []]);
  expect({ tensors: tf.memory().numTensors, files: readdirSync(folder.path).length }).toEqual(before);
  expect(complaints).toEqual([[expect.any(String), 2]]);
  const [[line]] = complaints as [[string, number]];
  expect(line).toMatch(/^[^\n]+$/);
  expect(line.startsWith(`${model}: `)).toBe(true);
  return line;
}

interface ModelFile {
  weightsManifest?: { paths: string[]; weights: object[] }[];
  readonly modelTopology: { readonly config: { readonly layers: object[] } };
}

/** The good model with another model.json. */
function changed(change: (file: ModelFile) => void): string {
  const file = JSON.parse(readFileSync(folder.at('model', 'model.json'), 'utf8')) as ModelFile;
  change(file);
  writeFileSync(folder.at('model', 'changed.json'), JSON.stringify(file));
  return folder.at('model', 'changed.json');
}
const written = (name: string, content: string | Uint8Array) => {
  writeFileSync(folder.at(name), content);
  return folder.at(name);
};
const paths = (path: string) => () => changed((file) => Object.assign(file.weightsManifest![0]!, { paths: [path] }));

const shard = (name: string, content: string | Uint8Array) => () => {
  writeFileSync(folder.at('model', name), content);
  return paths(name)();
};

describe('models', () => {
  test.each<[kind: string, model: () => string, line: RegExp]>([
    ['that is not there', () => folder.at('none'), /there is no such file/],
    [
      'that is an empty folder',
      () => mkdirSync(folder.at('empty', 'inner'), { recursive: true })!,
      /model\.json': there is no such file/,
    ],
    ['that is empty', () => written('empty.json', ''), /not JSON but empty/],
    ['that is HTML', () => written('page.json', '<!doctype html><html>'), /a page of HTML/],
    [
      'that is a pointer of Git LFS',
      () => written('lfs.json', 'version https://git-lfs.github.com/spec/v1\n'),
      /git lfs pull/,
    ],
    ['that is cut off', () => written('cut.json', '{"modelTopology": {'), /cut off or damaged/],
    ['that is other JSON', () => written('package.json', '{"name": "x"}'), /has no modelTopology/],
    [
      'that is a graph model',
      () => changed((file) => Object.assign(file, { format: 'graph-model' })),
      /is a graph model/,
    ],
    ['without weights', () => changed((file) => delete file.weightsManifest), /its weights are missing/],
    ['without a shard', paths('none.bin'), /none\.bin': there is no such file/],
    ['with a shard that is cut off', shard('short.bin', new Uint8Array(5)), /5 bytes of weights, but .* 32: cut off/],
    ['with an empty shard', shard('nothing.bin', ''), /0 bytes of weights/],
    ['with a shard that is HTML', shard('page.bin', '<html>'), /not weights but a page of HTML/],
    ['with a path out of its folder', paths('../secret.bin'), /outside of the model's folder/],
    ['with an absolute path', () => paths(folder.at('secret.bin'))(), /outside of the model's folder/],
    [
      'with a link out of its folder',
      () => {
        if (!readdirSync(folder.at('model')).includes('link.bin')) {
          symlinkSync(folder.at('secret.bin'), folder.at('model', 'link.bin'));
        }
        return paths('link.bin')();
      },
      /outside of the model's folder/,
    ],
    [
      'with weights of other shapes',
      () => changed((file) => Object.assign(file.weightsManifest![0]!.weights[0]!, { shape: [2, 3] })),
      /tf\.js cannot load it: Shape mismatch/,
    ],
    [
      'with weights of another name',
      () => changed((file) => Object.assign(file.weightsManifest![0]!.weights[0]!, { name: 'other' })),
      /tf\.js cannot load it/,
    ],
    [
      'with a layer that nobody knows',
      () => changed((file) => Object.assign(file.modelTopology.config.layers[0]!, { class_name: 'Mine' })),
      /class Mine, .*--require/,
    ],
    [
      'with a loss that nobody knows',
      () => changed((file) => Object.assign(file, { trainingConfig: { loss: 'my_loss' } })),
      /trained by my_loss.*--loss NAME/,
    ],
    ['that is HDF5 cut off', () => written('m.h5', Uint8Array.of(0x89, 0x48, 0x44, 0x46)), /cut off or damaged/],
    ['that is weights alone', () => 'test/fixtures/keras-h5/only-keras2.h5', /save the model whole/],
    ['that is ONNX', () => written('m.onnx', 'x'), /is no model of tf\.js layers or Keras/],
    ['that is an archive cut off', () => written('cut.keras', keras.subarray(0, 900)), /cut off or damaged/],
    ['that is an empty archive', () => written('none.keras', ''), /cut off or damaged/],
    ['that is another archive', () => written('other.keras', zipSync({ a: Uint8Array.of(1) })), /without config\.json/],
    [
      'that is an archive without weights',
      () => written('bare.keras', zipSync({ 'config.json': inArchive['config.json']! })),
      /weights are missing/,
    ],
    [
      'that is an archive with damaged weights',
      () => written('damaged.keras', zipSync({ ...inArchive, 'model.weights.h5': new Uint8Array(500) })),
      /cut off or damaged/,
    ],
    [
      'that is a zip bomb',
      () => written('bomb.keras', zipSync({ 'config.json': new Uint8Array(2 ** 25) })),
      /would grow beyond/,
    ],
  ])('one %s', async (_, model, line) => {
    expect(await refused(model(), folder.at('x.npy'))).toMatch(line);
  });
});

describe('data', () => {
  const good = () => readFileSync(folder.at('x.npy'));
  const objects = () => Buffer.from(good().toString('latin1').replace("'<f4'", "'|O' "), 'latin1');
  test.each<[kind: string, data: () => string, line: RegExp]>([
    ['that are not there', () => folder.at('none.npy'), /there is no such file/],
    ['that are empty', () => written('d0.npy', ''), /is not an \.npy file/],
    [
      'that are cut off',
      () => written('d1.npy', good().subarray(0, -4)),
      /20 bytes of numbers, but \[2, 3\] of 'f4' take 24/,
    ],
    ['that are cut off in their header', () => written('d2.npy', good().subarray(0, 8)), /cut off/],
    ['that are objects of Python', () => written('d3.npy', objects()), /has numbers of type 'O'|records or objects/],
    [
      'of complex numbers',
      () => written('d4.npy', npy([2, 3], new Uint8Array(48), { descr: '<c8' })),
      /numbers of type 'c8'/,
    ],
    [
      'of another shape',
      () => written('d5.npy', npy([3, 2], [1, 2, 3, 4, 5, 6])),
      /have shape \[3, 2\], but the model takes \[any, 3\]/,
    ],
    ['without samples', () => written('d6.npy', npy([0, 3], [])), /./],
    ['that are not numbers', () => written('d7.npy', npy([1, 3], [1, Number.NaN, 2])), /NaN|finite/],
    [
      'of an archive with several arrays',
      () => written('d.npz', zipSync({ 'a.npy': good(), 'b.npy': good() })),
      /no array for the input 'dense_input', only a, b/,
    ],
    [
      'of an archive cut off',
      () => written('d2.npz', zipSync({ 'a.npy': good() }).subarray(0, 60)),
      /cut off or damaged/,
    ],
    ['of a ragged table', () => written('d.csv', '1,2,3\n1,2\n'), /is not a table/],
    ['of a table with words', () => written('d2.csv', 'a,b,c\n1,two,3\n'), /row 2: 'two' in column b is not a number/],
    ['of an open quote', () => written('d3.csv', '1,"2,3\n'), /is not a table/],
    ['of ragged JSON', () => written('d.json', '[[1, 2, 3], [1]]'), /rows of different lengths/],
    [
      'of IDX that is cut off',
      () => written('d-idx2-ubyte', Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1)),
      /1 bytes of numbers, but its header speaks of 6/,
    ],
    [
      'of floats that fit no sample',
      () => written('d.bin', new Uint8Array(20)),
      /no number of float32 samples of \[3\]/,
    ],
    ['of a folder without images', () => folder.at('model'), /has no PNG or JPEG images/],
    ['of a kind that nobody knows', () => written('d.parquet', 'x'), /is no data that is known/],
  ])('%s', async (_, data, line) => {
    expect(await refused(folder.at('model'), data())).toMatch(line);
  });
});

test('labels and predictions that do not fit', async () => {
  const model = folder.at('model');
  const x = folder.at('x.npy');
  expect(await refused(model, x, { labels: [written('l1.npy', npy([3], [0, 1, 1]))] })).toMatch(/3 rows for 2 samples/);
  expect(await refused(model, x, { labels: [written('l2.npy', npy([2], [0, 2]))] })).toMatch(
    /classes are whole numbers from 0 to 1/,
  );
  expect(await refused(model, x, { labels: [written('l3.npy', npy([2, 5], new Array(10).fill(0)))] })).toMatch(
    /have shape \[2, 5\]/,
  );
  expect(await refused(model, x, { expect: written('l4.npy', npy([2, 2], [0, 1, 0, 1])) })).toMatch(/tf\.js predicts/);
  expect(await refused(model, x, { output: 'none' })).toMatch(/no output 'none', only/);
  expect(await refused(model, x, { loss: 'nope' })).toMatch(/'nope' is not known/);
});
