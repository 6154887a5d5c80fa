import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { trainedStep } from '../../src/native/trained-step.js';
import { ownFolder } from './own-folder.js';
import { trainingPackage } from './training-package.js';

const { folder } = ownFolder();

/** A package whose training does as `fit` says. */
function packageWith(fit: string): string {
  const directory = join(folder(), 'tfjs-node');
  mkdirSync(directory);
  writeFileSync(join(directory, 'index.js'), trainingPackage(fit));
  return directory;
}

test.each([
  ['what a package that trains has found', 'return { history: { loss: [1] } };', { tensorflow: '2.99', gpu: false }],
  [
    'a loss that is no number',
    'return { history: { loss: [NaN] } };',
    'Error: the loss of the first step is not a number',
  ],
  ['a crash', "process.kill(process.pid, 'SIGSEGV');", 'ended with SIGSEGV'],
  ['an end without a word', 'process.exit(3);', 'ended with exit code 3'],
])('says %s', async (_, fit, expected) => {
  expect(await trainedStep(packageWith(fit))).toEqual(expected);
});

test('gives up a package that hangs, and ends where it is told to', async () => {
  const hanging = packageWith('await new Promise((done) => setTimeout(done, 1e6));');
  expect(await trainedStep(hanging, undefined, 500)).toBe('did not train a step within 0.5 seconds');
  await expect(trainedStep(hanging, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
});
