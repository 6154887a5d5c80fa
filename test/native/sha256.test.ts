import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sha256 } from '../../src/native/sha256.js';
import { ownFolder } from './own-folder.js';

const { folder } = ownFolder();

test('the sha256 of a file, as pip and as the record of a wheel write it', async () => {
  const file = join(folder(), 'file');
  // The test vector of FIPS 180-2.
  writeFileSync(file, 'abc');
  expect(await sha256(file, 'hex')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect(await sha256(file, 'base64url')).toBe('ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0');
  await expect(sha256(folder(), 'hex')).rejects.toThrow('EISDIR');
  await expect(sha256(file, 'hex', AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped');
});
