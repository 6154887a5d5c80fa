import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { buildNative } from '../../src/native/build.js';
import { ownFolder } from './own-folder.js';
import { trainingPackage } from './training-package.js';

const { folder, bin } = ownFolder();
const say = () => {};

/** A package with an addon, whose training ends as `fit` says. */
function installed(fit: string): void {
  const directory = join(folder(), 'node_modules/@tensorflow/tfjs-node');
  mkdirSync(join(directory, 'lib/napi-v8'), { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{}');
  writeFileSync(join(directory, 'lib/napi-v8/tfjs_binding.node'), '');
  writeFileSync(join(directory, 'index.js'), trainingPackage(fit));
}

describe('one line says what is missing', () => {
  test('the package', async () => {
    await expect(buildNative('@tensorflow/tfjs-node-gpu', say, folder())).rejects.toThrow(
      '@tensorflow/tfjs-node-gpu is not installed in this project: npm install --ignore-scripts @tensorflow/tfjs-node-gpu',
    );
  });
});

test('an addon that trains is left alone, whatever tools there are', async () => {
  vi.stubEnv('PATH', bin());
  installed('return { history: { loss: [1] } };');
  const lines: string[] = [];
  await buildNative('@tensorflow/tfjs-node', (line) => lines.push(line), folder());
  expect(lines[0]).toBe('@tensorflow/tfjs-node works: one step trained on TensorFlow 2.99');
});

test.each([
  ['a loss that is no number', 'return { history: { loss: [NaN] } };'],
  ['a crash', 'process.kill(process.pid, "SIGKILL");'],
])('an addon that ends in %s is built anew', async (_, fit) => {
  vi.stubEnv('PATH', bin());
  installed(fit);
  // The tools for it are what it asks for next.
  await expect(buildNative('@tensorflow/tfjs-node', say, folder())).rejects.toThrow(/^no Python|^unsupported platform/);
});
