import { copyFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { absolutePath, contentHash, hashOfData, layersId } from '../../src/farm/content.js';
import { fileOf } from '../../src/files/data-file.js';
import { isFolder } from '../../src/files/place.js';
import { testFolder } from '../files/saved-model.js';

const folder = testFolder();

test('a file is known by its bytes, whatever its name', async () => {
  writeFileSync(folder.at('a.npy'), 'one');
  copyFileSync(folder.at('a.npy'), folder.at('b.npy'));
  writeFileSync(folder.at('c.npy'), 'two');
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => hashOfData(folder.at(`${name}.npy`))));
  expect(a).toMatch(/^[0-9a-f]{64}$/);
  expect(b).toBe(a);
  expect(c).not.toBe(a);
  await expect(hashOfData(folder.at('none'))).rejects.toThrow(/there is no such file/);
});

test('a folder is known by its names and bytes, also those of folders in it', async () => {
  mkdirSync(folder.at('images/cat'), { recursive: true });
  writeFileSync(folder.at('images/cat/1.png'), 'one');
  const before = await hashOfData(folder.at('images'));
  expect(await hashOfData(folder.at('images'))).toBe(before);
  renameSync(folder.at('images/cat'), folder.at('images/dog'));
  expect(await hashOfData(folder.at('images'))).not.toBe(before);
  expect([isFolder(folder.at('images')), isFolder(folder.at('a.npy')), isFolder('http://host/a/')]).toEqual([
    true,
    false,
    false,
  ]);
});

test('links to folders of images are followed, as they are when images are read', async () => {
  mkdirSync(folder.at('elsewhere/cat'), { recursive: true });
  mkdirSync(folder.at('linked'));
  writeFileSync(folder.at('elsewhere/cat/1.png'), 'one');
  symlinkSync(folder.at('elsewhere/cat'), folder.at('linked/cat'));
  const before = await hashOfData(folder.at('linked'));
  writeFileSync(folder.at('elsewhere/cat/1.png'), 'two');
  expect(await hashOfData(folder.at('linked'))).not.toBe(before);
});

test('a file is hashed piece by piece', async () => {
  const bytes = Buffer.alloc(2 ** 24 + 3, 'piece');
  writeFileSync(folder.at('large.npy'), bytes);
  const hash = contentHash();
  hash.add('', bytes);
  expect(await hashOfData(folder.at('large.npy'))).toBe(hash.digest());
  writeFileSync(folder.at('empty.npy'), '');
  const empty = contentHash();
  empty.add('', Buffer.alloc(0));
  expect(await hashOfData(folder.at('empty.npy'))).toBe(empty.digest());
});

test('where a name ends and bytes begin counts', () => {
  const hashOf = (...files: [string, string][]) => {
    const hash = contentHash();
    for (const [name, text] of files) {
      hash.add(name, Buffer.from(text));
    }
    return hash.digest();
  };
  expect(hashOf(['ab', 'c'])).not.toBe(hashOf(['a', 'bc']));
  expect(hashOf(['a', 'b'], ['', ''])).not.toBe(hashOf(['a', 'b']));
});

test('modules of layers are known by their bytes and their order', async () => {
  const [a, b, copy] = ['a', 'b', 'copy'].map((name) => folder.at(`${name}.mjs`)) as [string, string, string];
  writeFileSync(a, '1');
  writeFileSync(b, '2');
  copyFileSync(a, copy);
  expect(await layersId([copy, b])).toBe(await layersId([a, b]));
  expect(await layersId([b, a])).not.toBe(await layersId([a, b]));
  expect(await layersId([])).toBe('');
});

test('paths', () => {
  expect(fileOf('a/mnist.npz#x_test')).toEqual({ file: 'a/mnist.npz', array: '#x_test' });
  expect(fileOf('a#b.npy')).toEqual({ file: 'a#b.npy', array: '' });
  expect(absolutePath('x.npy')).toBe(`${process.cwd()}/x.npy`);
  expect(absolutePath(pathToFileURL('/a b/x.npy').href)).toBe('/a b/x.npy');
  expect(absolutePath('https://host/x.npy')).toBe('https://host/x.npy');
});
