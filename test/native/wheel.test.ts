import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fetchWheel, requireSpace, unpackWheel, wheels } from '../../src/native/wheel.js';
import { ownFolder } from './own-folder.js';

const wheel = wheels['@tensorflow/tfjs-node'];
const { folder, bin, command } = ownFolder();
const say = () => {};

describe('one line says what is missing', () => {
  test('disk space', () => {
    expect(() => requireSpace(folder(), 1e18)).toThrow(/^no disk space: 1000000000000 MB needed in .*, \d+ MB free$/);
    expect(() => requireSpace(folder(), 1)).not.toThrow();
  });

  test('a download that fails leaves nothing behind', async () => {
    command('python', 'echo "ERROR: no matching distribution" >&2; exit 1');
    const fetched = fetchWheel(wheel, join(bin(), 'python'), say, join(folder(), 'cache'));
    await expect(fetched).rejects.toThrow(/^download failed: no matching distribution$/);
    expect(readdirSync(join(folder(), 'cache'))).toEqual([]);
  });

  test('a download with another content', async () => {
    // A pip that does not check: the last argument but one is --dest=<folder>.
    command('python', `for a; do case "$a" in --dest=*) echo x > "\${a#--dest=}/${wheel.file}";; esac; done`);
    const fetched = fetchWheel(wheel, join(bin(), 'python'), say, join(folder(), 'cache'));
    await expect(fetched).rejects.toThrow(/^download failed: .* does not have the expected sha256$/);
    expect(readdirSync(join(folder(), 'cache'))).toEqual([]);
  });

  test('a wheel that cannot be unpacked leaves no half-filled deps', async () => {
    command('python', 'echo "zipfile.BadZipFile: not a zip file" >&2; exit 1');
    const unpacked = unpackWheel(wheel, async () => 'x.whl', folder(), join(bin(), 'python'), say);
    await expect(unpacked).rejects.toThrow('the wheel could not be unpacked: zipfile.BadZipFile: not a zip file');
    expect(readdirSync(folder())).toEqual(['bin']);
  });
});

test('a damaged wheel in the cache is fetched again', async () => {
  const cache = join(folder(), 'cache');
  mkdirSync(cache);
  writeFileSync(join(cache, wheel.file), 'half of it');
  command('python', 'echo "ERROR: offline" >&2; exit 1');
  const lines: string[] = [];
  const fetched = fetchWheel(wheel, join(bin(), 'python'), (line) => lines.push(line), cache);
  await expect(fetched).rejects.toThrow('download failed: offline');
  expect(lines[0]).toMatch(/damaged: downloading it again$/);
});

test('a wheel is downloaded once, under the name that says what it is', async () => {
  const small = { ...wheel, bytes: 2, sha256: createHash('sha256').update('x\n').digest('hex') };
  const cache = join(folder(), 'cache');
  command('python', `for a; do case "$a" in --dest=*) echo x > "\${a#--dest=}/${wheel.file}";; esac; done`);
  expect(await fetchWheel(small, join(bin(), 'python'), say, cache)).toBe(join(cache, wheel.file));
  command('python', 'echo "ERROR: called again" >&2; exit 1');
  const lines: string[] = [];
  expect(await fetchWheel(small, join(bin(), 'python'), (line) => lines.push(line), cache)).toBe(
    join(cache, wheel.file),
  );
  expect(lines).toEqual(['tensorflow-cpu 2.21.0 is in the cache']);
  expect(readdirSync(cache)).toEqual([wheel.file]);
});

test('deps of the right wheel are left alone', async () => {
  mkdirSync(join(folder(), 'deps'));
  writeFileSync(join(folder(), 'deps', `${wheel.file}.unpacked`), '');
  const fetched = () => Promise.reject(new Error('fetched again'));
  await unpackWheel(wheel, fetched, folder(), join(bin(), 'python'), say);
  await expect(
    unpackWheel({ ...wheel, file: 'other.whl' }, fetched, folder(), join(bin(), 'python'), say),
  ).rejects.toThrow('fetched again');
});
