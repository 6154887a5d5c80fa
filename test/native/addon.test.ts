import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addonPath, packageDirectory } from '../../src/native/addon.js';
import { ownFolder } from './own-folder.js';

const { folder } = ownFolder();

test('the addon is found wherever node-pre-gyp puts it', () => {
  const directory = join(folder(), 'node_modules/@tensorflow/tfjs-node');
  mkdirSync(join(directory, 'lib'), { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{}');
  expect(addonPath('@tensorflow/tfjs-node', folder())).toBeUndefined();
  mkdirSync(join(directory, 'lib/napi-v9'));
  writeFileSync(join(directory, 'lib/napi-v9/tfjs_binding.node'), '');
  expect(addonPath('@tensorflow/tfjs-node', folder())).toMatch(/napi-v9\/tfjs_binding\.node$/);
});

test('a package is looked for in the project alone, by its name', () => {
  const directory = join(folder(), 'node_modules/@tensorflow/tfjs-node-gpu');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{}');
  expect(packageDirectory('@tensorflow/tfjs-node-gpu', folder())).toBe(realpathSync(directory));
  expect(packageDirectory('@tensorflow/tfjs-node', folder())).toBeUndefined();
  expect(addonPath('@tensorflow/tfjs-node', folder())).toBeUndefined();
});
