import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkpointFolder } from '../../src/files/checkpoints.js';
import { denseModel, saveModel, testFolder } from './saved-model.js';

const folder = testFolder();

test('whole ones, those on their way, and those that are none; by time and then by number', async () => {
  const root = folder.at('run');
  for (const name of ['e10', 'e9', 'e1', '.hidden', 'cut', 'bare', 'text']) {
    await saveModel(denseModel(), folder.at('run', name));
  }
  cpSync('test/fixtures/keras3/reg.keras', folder.at('run', 'a.keras'));
  cpSync('test/fixtures/keras3/reg.keras', folder.at('run', 'b.keras'));
  truncateSync(folder.at('run', 'b.keras'), 4000);
  truncateSync(folder.at('run', 'cut', 'weights.bin'), 5);
  rmSync(folder.at('run', 'bare', 'weights.bin'));
  for (const name of ['a.h5', 'b.hdf5']) {
    cpSync('test/fixtures/keras-h5/chain-keras2.h5', folder.at('run', name));
  }
  truncateSync(folder.at('run', 'b.hdf5'), 30_000);
  writeFileSync(folder.at('run', 'c.h5'), '');
  // Damaged, and one that says that it ends before it does, as HDF5 does until it closes a file.
  writeFileSync(folder.at('run', 'd.h5'), Buffer.from('\x89HDF\r\n\x1a\n\x01'.padEnd(60, '\xff'), 'latin1'));
  cpSync('test/fixtures/keras-h5/chain-keras2.h5', folder.at('run', 'e.h5'));
  appendFileSync(folder.at('run', 'e.h5'), 'more');
  cpSync('test/fixtures/keras-h5/only-keras3.weights.h5', folder.at('run', 'only.weights.h5'));
  writeFileSync(folder.at('run', 'text', 'model.json'), '{"modelTopology": {');
  writeFileSync(folder.at('run', 'log.json'), '{}');
  mkdirSync(folder.at('run', 'c.keras'));
  for (const name of ['e10', 'e9']) {
    utimesSync(folder.at('run', name, 'model.json'), 100, 100);
    utimesSync(folder.at('run', name, 'weights.bin'), 200, 200);
  }
  utimesSync(folder.at('run', 'e1', 'model.json'), 50, 50);
  utimesSync(folder.at('run', 'e1', 'weights.bin'), 300, 300);
  const { find, look } = checkpointFolder(root);
  const found = find();
  expect(found.slice(0, 3).map(({ path, savedMs }) => [path, savedMs])).toEqual([
    [folder.at('run', 'e9', 'model.json'), 200_000],
    [folder.at('run', 'e10', 'model.json'), 200_000],
    [folder.at('run', 'e1', 'model.json'), 300_000],
  ]);
  expect(Object.fromEntries(found.map(({ path, lacks }) => [path.slice(root.length + 1), lacks]))).toEqual({
    'e1/model.json': undefined,
    'e9/model.json': undefined,
    'e10/model.json': undefined,
    'a.keras': undefined,
    'b.keras': 'it is cut off',
    'a.h5': undefined,
    'b.hdf5': 'it is cut off',
    'c.h5': 'it is cut off',
    'd.h5': 'it is cut off',
    'e.h5': 'it is still being written, or has bytes behind its end',
    'cut/model.json': "'weights.bin' is cut off",
    'bare/model.json': "'weights.bin' is not there",
    'text/model.json': 'it is no JSON',
  });
  // Another state once a shard is written.
  const before = look(found[0]!.path)!;
  expect(look(found[0]!.path)).toEqual(before);
  utimesSync(folder.at('run', 'e9', 'weights.bin'), 201, 201);
  expect(look(found[0]!.path)!.state).not.toBe(before.state);
  expect(look(folder.at('run', 'none.keras'))).toBeUndefined();
});

test('what links lead to is there once, under its own name', async () => {
  const root = folder.at('links');
  await saveModel(denseModel(), folder.at('links', 'epoch-1'));
  await saveModel(denseModel(), folder.at('elsewhere'));
  symlinkSync('epoch-1', folder.at('links', 'best'));
  symlinkSync('.', folder.at('links', 'self'));
  symlinkSync('nowhere', folder.at('links', 'broken.keras'));
  symlinkSync('circle', folder.at('links', 'circle'));
  symlinkSync(folder.at('elsewhere'), folder.at('links', 'other'));
  cpSync('test/fixtures/keras3/reg.keras', folder.at('links', 'a.keras'));
  symlinkSync('a.keras', folder.at('links', 'latest.keras'));
  const paths = () =>
    checkpointFolder(root)
      .find()
      .map(({ path }) => path.slice(root.length + 1));
  expect(paths().sort()).toEqual(['a.keras', 'epoch-1/model.json', 'other/model.json']);
  // The folder itself may be a link.
  symlinkSync('links', folder.at('runs'));
  expect(checkpointFolder(folder.at('runs')).find()).toHaveLength(3);
});

test('what goes away, or may not be read, is not there', async () => {
  const path = await saveModel(denseModel(), folder.at('gone', 'locked', 'epoch-1'));
  const { find, look } = checkpointFolder(folder.at('gone'));
  const model = join(path, 'model.json');
  expect(find()).toHaveLength(1);
  // Root may read everything.
  if (process.getuid?.() !== 0) {
    chmodSync(folder.at('gone', 'locked'), 0);
    expect([find(), look(model)]).toEqual([[], undefined]);
    chmodSync(folder.at('gone', 'locked'), 0o755);
  }
  rmSync(folder.at('gone'), { recursive: true });
  expect([find(), look(model)]).toEqual([[], undefined]);
  // A file where the folder was.
  writeFileSync(folder.at('gone'), '');
  expect([find(), look(model)]).toEqual([[], undefined]);
});
