import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readKerasHdf5 } from '../../src/files/keras-hdf5.js';

const read = (name: string) => readFileSync(`test/fixtures/keras-h5/${name}`);

test.each(['2', '3'])('what Keras %s has written', (version) => {
  const { config, training, weights } = readKerasHdf5('m.h5', read(`images-keras${version}.h5`), true);
  expect([config.class_name, training]).toMatchObject(['Functional', { loss: 'categorical_crossentropy' }]);
  const shapesOf = (layer: string) => weights!.get(layer)?.map(({ shape }) => shape.join());
  expect(shapesOf('head')).toEqual(['3,4', '4']);
  // Without the state of the generator, which Keras 2 keeps there.
  expect([shapesOf('images'), shapesOf('flipped')]).toEqual([[], []]);
  // Those that are trained, then those of frozen layers and moving averages, in the order of layers.
  const [norm, kernel] = [
    ['3', '3'],
    ['2,2,3,3', '3'],
  ];
  expect(shapesOf('backbone')).toEqual([
    ...[...norm, ...kernel, '1,1,3,3', '3'],
    ...[...kernel, ...norm, ...norm, ...norm],
  ]);
  for (const { shape, values } of [...weights!.values()].flat()) {
    expect(values).toHaveLength(shape.reduce((product, size) => product * size, 1));
    expect(values.every(Number.isFinite)).toBe(true);
  }
});

test.each(['2', '3'])('lists of names in parts, by Keras %s', (version) => {
  const { weights } = readKerasHdf5('m.h5', read(`chain-keras${version}.h5`), true);
  expect([...weights!].map(([name, { length }]) => [name, length])).toEqual([
    ['inner', 6],
    ...[0, 1, 2, 3, 4].map((i) => [`layer_${i}`, 2]),
  ]);
});

test('weights that nobody wants are not read', () => {
  expect(readKerasHdf5('m.h5', read('images-keras2.h5'), false)).not.toHaveProperty('weights');
});

test.each(['only-keras2.h5', 'only-keras3.weights.h5'])('%s holds weights alone', (name) => {
  expect(() => readKerasHdf5(name, read(name), false)).toThrow(
    `'${name}' holds the weights of a model without its layers: save the model whole, model.save('model.keras').`,
  );
});

/** The file with a text in it that has another of its length in its place. */
const changed = (from: string, to: string) =>
  Buffer.from(read('images-keras2.h5').toString('latin1').replaceAll(from, to), 'latin1');

test.each<[change: Buffer, line: RegExp]>([
  [changed('model_config', 'other_config'), /^'m\.h5' is an HDF5 file without a model of Keras: save the model whole/],
  [
    changed('2.15.0', '1.15.0'),
    /^'m\.h5' was written by Keras 1\.15\.0, whose weights lie otherwise: load it in Keras 2/,
  ],
  [changed('{"class_name": "Functional"', '{"class_name": "Functional '), /model_config' is not JSON but cut off/],
  [changed('head/kernel:0', 'head/kernel:7'), /^'m\.h5' is cut off or damaged: copy it again\.$/],
  [changed('model_weights', 'other_weights'), /cut off or damaged/],
  ...[8, 40, 100, 3000, 20_000, 33_000].map((length): [Buffer, RegExp] => [
    read('images-keras2.h5').subarray(0, length),
    /^'m\.h5' is cut off or damaged: copy it again\.$/,
  ]),
])('what is wrong with a file is told in a line: %#', (bytes, line) => {
  expect(() => readKerasHdf5('m.h5', bytes, true)).toThrow(line);
});
