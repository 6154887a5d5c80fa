import { expect, test } from 'vitest';
import { optionalPackage } from '../../src/files/optional-package.js';

test('a package that is there, with what it exports either way', async () => {
  const { PNG } = await optionalPackage<{ PNG: { sync: object } }>('pngjs', 'a PNG image');
  expect(PNG.sync).toBeTypeOf('object');
});

test('one that is not names the install', async () => {
  await expect(optionalPackage('@tfjs-sharpness/none', 'a PNG image')).rejects.toThrow(
    'a PNG image needs the package @tfjs-sharpness/none: npm install @tfjs-sharpness/none',
  );
});
