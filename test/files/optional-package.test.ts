import { mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { optionalPackage } from '../../src/files/optional-package.js';
import { testFolder } from './saved-model.js';

const folder = testFolder();

test('a package that is there, with what it exports either way', async () => {
  const { PNG } = await optionalPackage<{ PNG: { sync: object } }>('pngjs', 'a PNG image');
  expect(PNG.sync).toBeTypeOf('object');
});

test('one that only the current folder has, as where npx runs the command', async () => {
  const here = process.cwd();
  mkdirSync(folder.at('node_modules/of-the-user'), { recursive: true });
  writeFileSync(folder.at('node_modules/of-the-user/index.js'), 'exports.answer = 42;');
  process.chdir(folder.path);
  try {
    expect(await optionalPackage('of-the-user', 'it')).toMatchObject({ answer: 42 });
  } finally {
    process.chdir(here);
  }
});

test('one that is not names the install', async () => {
  await expect(optionalPackage('@tfjs-sharpness/none', 'a PNG image')).rejects.toThrow(
    'a PNG image needs the package @tfjs-sharpness/none: npm install @tfjs-sharpness/none',
  );
  await expect(optionalPackage('@tfjs-sharpness/none', 'a report', 'both of them')).rejects.toThrow(
    'a report needs the package @tfjs-sharpness/none: npm install both of them',
  );
});
