import { readFileSync } from 'node:fs';
import { unzipSync, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { readKerasArchive } from '../../src/files/keras-archive.js';

const two = readFileSync('test/fixtures/keras3/two.keras');

test('weights by layer, with the model around it, in the order of tf.js', () => {
  const { config, weights } = readKerasArchive('two.keras', two, true);
  expect(config.class_name).toBe('Functional');
  const names = [...weights!].filter(([, each]) => each.length > 0).map(([name]) => name);
  expect(names).toHaveLength(3);
  const shapes = names.map((name) => weights!.get(name)!.map(({ shape }) => shape.join()));
  expect(shapes).toEqual([
    ['4,12', '3,12', '12', '4,12', '3,12', '12'],
    ['6,9', '3,9', '9'],
    ['6,4', '4'],
  ]);
  expect(names.map((name) => name.includes('/'))).toEqual([true, true, false]);
  for (const { shape, values } of [...weights!.values()].flat()) {
    expect(values.length).toBe(shape.reduce((product, size) => product * size, 1));
    expect(values.every(Number.isFinite)).toBe(true);
  }
});

test('weights that nobody wants are not read', () => {
  const { 'config.json': config } = unzipSync(two);
  expect(readKerasArchive('x.keras', zipSync({ 'config.json': config! }), false)).not.toHaveProperty('weights');
});

test('what is missing or damaged is told', () => {
  const files = unzipSync(two);
  const archive = (changed: Record<string, Uint8Array | undefined>) =>
    zipSync(
      Object.fromEntries(
        Object.entries({ ...files, ...changed }).flatMap(([name, each]) => (each ? [[name, each]] : [])),
      ),
    );
  const read = (changed: Record<string, Uint8Array | undefined>) => () =>
    readKerasArchive('x.keras', archive(changed), true);
  expect(read({ 'config.json': undefined })).toThrow(
    "'x.keras' is a zip archive without config.json: it is not a .keras file.",
  );
  expect(read({ 'config.json': Buffer.from('{"a') })).toThrow(/config\.json' is not JSON but cut off/);
  expect(read({ 'config.json': Buffer.from('[]') })).toThrow(/config\.json' is no model/);
  expect(read({ 'model.weights.h5': undefined })).toThrow(/its weights are missing: save the model whole/);
  const weights = files['model.weights.h5']!;
  for (const length of [0, 100, 5000, weights.length - 2000]) {
    expect(read({ 'model.weights.h5': weights.subarray(0, length) }), String(length)).toThrow(/cut off or damaged/);
  }
});
