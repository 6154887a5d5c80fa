import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { denseModel, saveModel, testFolder } from './saved-model.js';

const folder = testFolder();

test('Ctrl-C ends at once, by its signal, and what is done is printed, and nothing else', async () => {
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
    // The slow one says how long it will take.
    if (error.includes(' more; ')) {
      child.kill('SIGINT');
    }
  });
  const signal = await new Promise((resolve) => child.once('close', (_, name) => resolve(name)));
  expect(signal).toBe('SIGINT');
  expect(JSON.parse(out)).toMatchObject([{ model: quick, samples: 100 }]);
  expect(error.match(/by its last activation/g)).toHaveLength(1);
  expect(error).toMatch(
    /^tfjs-sharpness: a reading runs 51200 backward rows, .* more; --tolerance 0\.02 needs a few hundred\.$/m,
  );
});

test.skipIf(!existsSync('/dev/full'))('a full disk is told, and a reader that has gone is not', async () => {
  const readings = folder.at('r.jsonl');
  writeFileSync(
    readings,
    `${JSON.stringify({ model: 'a', minimumSharpness: 2, standardError: 0, reliable: true, trace: 3, samples: 4, exact: true })}\n`,
  );
  const run = async (output: number | 'pipe') => {
    const words = ['--import', 'tsx', join(process.cwd(), 'src/cli.ts'), 'compare', readings, '--json'];
    const child = spawn(process.execPath, words, { stdio: ['ignore', output, 'pipe'] });
    child.stdout?.destroy();
    let error = '';
    child.stderr!.on('data', (text) => {
      error += text;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    return { code, error };
  };
  const full = openSync('/dev/full', 'w');
  const told = await run(full);
  closeSync(full);
  expect(told.error).toMatch(/^tfjs-sharpness: cannot write to standard output: [^\n]*ENOSPC[^\n]*\n$/);
  expect(told.code).toBe(1);
  expect(await run('pipe')).toEqual({ code: 0, error: '' });
});
