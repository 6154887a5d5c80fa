import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diskErrorLine, requireSpace, saysDiskIsFull } from '../../src/native/disk.js';
import { ownFolder } from './own-folder.js';

const { folder } = ownFolder();

test('disk space', () => {
  expect(() => requireSpace(folder(), 1e18)).toThrow(/^no disk space: 1000000000000 MB needed in .*, \d+ MB free$/);
  expect(() => requireSpace(folder(), 1)).not.toThrow();
});

test('a full disk is known by what programs say of it', () => {
  expect(saysDiskIsFull('OSError: [Errno 28] No space left on device')).toBe(true);
  expect(saysDiskIsFull('OSError: [Errno 122] Disk quota exceeded')).toBe(true);
  expect(saysDiskIsFull('OSError: [Errno 13] Permission denied')).toBe(false);
});

describe('one line for an error of', () => {
  const thrown = (work: () => void) => {
    try {
      work();
    } catch (error) {
      return diskErrorLine(error);
    }
    throw new Error('nothing was thrown');
  };

  test('files', () => {
    const path = (name: string) => join(folder(), name);
    writeFileSync(path('file'), '');
    symlinkSync(path('nowhere'), path('link'));
    expect(thrown(() => readFileSync(path('none')))).toBe(
      `${path('none')} does not exist, or is a link to what does not`,
    );
    expect(thrown(() => mkdirSync(path('link'), { recursive: true }))).toContain(`${path('link')} `);
    expect(thrown(() => mkdirSync(path('file'), { recursive: true }))).toBe(
      `${path('file')} is not a folder, where one should be`,
    );
    expect(thrown(() => mkdirSync(path('file/in'), { recursive: true }))).toMatch(
      / is not a folder, where one should be$/,
    );
    expect(thrown(() => readFileSync(folder()))).toMatch(/^(EISDIR|.* is a folder, where a file should be)/);
    expect(thrown(() => writeFileSync('/sys/file', ''))).toBe('no permission for /sys/file');
  });

  test('disks that are full or cannot be written', () => {
    const error = (code: string, path?: string) =>
      Object.assign(new Error(`${code}: said\nby the system`), { code, path });
    expect(diskErrorLine(error('ENOSPC', '/a'))).toBe('no disk space left for /a');
    expect(diskErrorLine(error('ENOSPC'))).toBe('no disk space left');
    expect(diskErrorLine(error('EROFS', '/a'))).toBe('/a is on a file system that cannot be written');
    expect(diskErrorLine(error('EIO', '/a'))).toBe('EIO: said by the system');
  });

  test('nothing else', () => {
    expect(diskErrorLine(new Error('a line of our own'))).toBeUndefined();
    expect(diskErrorLine(Object.assign(new Error(''), { code: 'ERR_INVALID_ARG_TYPE' }))).toBeUndefined();
  });
});
