import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { damagedLibrary, unpackWheel } from '../../src/native/library.js';
import { wheels } from '../../src/native/wheel.js';
import { ownFolder } from './own-folder.js';

const wheel = wheels['@tensorflow/tfjs-node'];
const { folder, bin, command } = ownFolder();
const say = () => {};

describe('one line says why', () => {
  test.each([
    ['zipfile.BadZipFile: not a zip file', 'zipfile.BadZipFile: not a zip file'],
    ['OSError: [Errno 28] No space left on device', 'no disk space left in '],
  ])('a wheel cannot be unpacked, of which no half-filled deps is left: %s', async (written, said) => {
    command('python', `echo "${written}" >&2; exit 1`);
    const unpacked = unpackWheel(wheel, async () => 'x.whl', folder(), join(bin(), 'python'), say);
    await expect(unpacked).rejects.toThrow(`the wheel could not be unpacked: ${said}`);
    expect(readdirSync(folder())).toEqual(['bin']);
  });
});

/** deps as they are unpacked, with one library in each file. */
function unpacked(): void {
  const path = (name: string) => join(folder(), 'deps', name);
  mkdirSync(path('lib'), { recursive: true });
  const lines = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'].map((name) => {
    writeFileSync(path(`lib/${name}`), name);
    symlinkSync(name, path(`lib/${name.replace('_cc', '').replace('.2', '')}`));
    return `lib/${name},sha256=${createHash('sha256').update(name).digest('base64url')},${name.length}\n`;
  });
  writeFileSync(path(`${wheel.file}.unpacked`), lines.join(''));
}

test('deps of the right wheel are left alone', async () => {
  unpacked();
  const fetched = () => Promise.reject(new Error('fetched again'));
  await unpackWheel(wheel, fetched, folder(), join(bin(), 'python'), say);
  await expect(
    unpackWheel({ ...wheel, file: 'other.whl' }, fetched, folder(), join(bin(), 'python'), say),
  ).rejects.toThrow('fetched again');
});

test('deps that say nothing of their files are unpacked again', async () => {
  unpacked();
  writeFileSync(join(folder(), 'deps', `${wheel.file}.unpacked`), '');
  const fetched = () => Promise.reject(new Error('fetched again'));
  await expect(unpackWheel(wheel, fetched, folder(), join(bin(), 'python'), say)).rejects.toThrow('fetched again');
});

test('a damaged file is named; of files that nobody has recorded nothing is known', async () => {
  expect(await damagedLibrary(folder())).toBeUndefined();
  unpacked();
  expect(await damagedLibrary(folder())).toBeUndefined();
  // As long as it was.
  writeFileSync(join(folder(), 'deps/lib/libtensorflow_cc.so.2'), 'LIBtensorflow_cc.so.2');
  expect(await damagedLibrary(folder())).toBe('deps/lib/libtensorflow_cc.so.2');
  rmSync(join(folder(), 'deps/lib/libtensorflow_cc.so.2'));
  expect(await damagedLibrary(folder())).toBe('deps/lib/libtensorflow_cc.so.2');
  writeFileSync(join(folder(), 'deps/lib/libtensorflow_cc.so.2'), 'libtensorflow_cc.so.2');
  rmSync(join(folder(), 'deps/lib/libtensorflow.so'));
  expect(await damagedLibrary(folder())).toBe('deps/lib/libtensorflow.so');
  rmSync(join(folder(), 'deps', `${wheel.file}.unpacked`));
  expect(await damagedLibrary(folder())).toBeUndefined();
});

test('what a killed run left half unpacked is removed', async () => {
  unpacked();
  mkdirSync(join(folder(), 'deps-aBc123/tensorflow'), { recursive: true });
  await unpackWheel(wheel, () => Promise.reject(new Error('fetched again')), folder(), 'python3', say);
  expect(readdirSync(folder()).sort()).toEqual(['bin', 'deps']);
});
