import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { csvWriter, jsonLinesWriter, tensorBoardWriter } from '../../../src/node.js';
import { checkLocalPath } from '../../../src/training/files/local-path.js';

it('addresses and ~/ are refused in one line, and nothing is made', () => {
  for (const path of ['s3://bucket/a.csv', 'gs://b', 'file:///tmp/a', 'HTTP://x', '~/runs/a', '~\\runs']) {
    const line = `'${path}' is no path that Node knows: write to a folder of this machine, named in full, and copy it from there`;
    expect(() => csvWriter(path)).toThrow(new Error(`csvWriter: the file ${line}`));
    expect(() => jsonLinesWriter(path)).toThrow(new Error(`jsonLinesWriter: the file ${line}`));
    expect(() => tensorBoardWriter(path)).toThrow(new Error(`tensorBoardWriter: the log folder ${line}`));
  }
  expect(['s3:', 'gs:', 'file:', '~'].filter((name) => existsSync(name))).toEqual([]);
});

it('paths are taken', () => {
  for (const path of [
    'a',
    'logs/run1',
    '/tmp/a',
    'C:\\runs\\a',
    'C://runs',
    'a:b',
    '~',
    '~a/b',
    'a/~/b',
    'step=1://x',
  ]) {
    expect(() => checkLocalPath('it', path)).not.toThrow();
  }
});
