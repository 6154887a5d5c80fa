import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { denseModel, saveModel, testFolder } from './saved-model.js';

const folder = testFolder();

test('Ctrl-C ends at once, by its signal, and what is done is printed', async () => {
  const quick = await saveModel(denseModel(), folder.at('quick'), { loss: 'categorical_crossentropy' });
  // 100 samples of it are 51200 backward rows.
  const slow = 'test/fixtures/keras/unet';
  const words = ['measure', quick, slow, slow, '--random', '100', '--backend', 'cpu', '--json'];
  const child = spawn(process.execPath, ['--import', 'tsx', join(process.cwd(), 'src/cli.ts'), ...words]);
  let out = '';
  let error = '';
  child.stdout.on('data', (text) => {
    out += text;
  });
  child.stderr.on('data', (text) => {
    error += text;
    // The slow one has begun.
    if (error.includes(`${slow}: `)) {
      child.kill('SIGINT');
    }
  });
  const signal = await new Promise((resolve) => child.once('close', (_, name) => resolve(name)));
  expect(signal).toBe('SIGINT');
  expect(JSON.parse(out)).toMatchObject([{ model: quick, samples: 100 }]);
  expect(error.match(/by its last activation/g)).toHaveLength(1);
});
