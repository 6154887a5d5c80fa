import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { expect, test } from 'vitest';
import { runDependent } from '../../src/native/dependent-process.js';
import { isRunning, until } from './offline-build.js';
import { ownFolder } from './own-folder.js';

const { folder } = ownFolder();
const shell = (script: string) => ['sh', '-c', script];

test('what a command wrote and how it ended', async () => {
  let output = '';
  const onOutput = (chunk: Buffer) => {
    output += chunk;
  };
  expect(await runDependent('python3', shell('echo out; echo err >&2; exit 3'), { onOutput })).toEqual({
    code: 3,
    stderr: 'err\n',
  });
  expect(output.split('\n').sort()).toEqual(['', 'err', 'out']);
  expect(await runDependent('python3', shell('kill -9 $$'))).toMatchObject({ code: 137 });
});

test('a Python that is not there', async () => {
  await expect(runDependent(join(folder(), 'python'), ['true'])).rejects.toThrow('ENOENT');
});

test('its file 3 is the one given', async () => {
  const file = openSync(join(folder(), 'file'), 'w');
  await runDependent('python3', shell('echo written >&3'), { file });
  closeSync(file);
  expect(readFileSync(join(folder(), 'file'), 'utf8')).toBe('written\n');
});

/** Writes the ids of a shell and of its child, and stays; neither listens to SIGTERM. */
const stubborn = (pids: string) => shell(`trap "" TERM INT; sleep 600 & echo $$ $! > ${pids}; wait; wait`);
const pidsIn = (file: string) => readFileSync(file, 'utf8').trim().split(' ').map(Number);

test('an aborted command has ended, with its children, when that is said', async () => {
  const file = join(folder(), 'pids');
  writeFileSync(file, '');
  const controller = new AbortController();
  const run = runDependent('python3', stubborn(file), { signal: controller.signal });
  await until(() => readFileSync(file, 'utf8') !== '');
  controller.abort(new Error('stopped'));
  await expect(run).rejects.toThrow('stopped');
  expect(pidsIn(file).filter(isRunning)).toEqual([]);
  await expect(runDependent('python3', shell('echo > started'), { signal: controller.signal })).rejects.toThrow(
    'stopped',
  );
});

test('it ends with its children when this process is killed, in a folder with modules named as those of Python', async () => {
  const file = join(folder(), 'pids');
  writeFileSync(file, '');
  mkdirSync(join(folder(), 'user'));
  writeFileSync(join(folder(), 'user', 'signal.py'), 'raise SystemExit(1)');
  const program = join(folder(), 'program.mjs');
  const contents = `import { runDependent } from './dependent-process.js';
    await runDependent('python3', ${JSON.stringify(stubborn(file))});`;
  const stdin = { contents, resolveDir: 'src/native', loader: 'ts' as const };
  buildSync({ stdin, outfile: program, bundle: true, platform: 'node', format: 'esm' });
  const parent = spawn(process.execPath, [program], { cwd: join(folder(), 'user'), stdio: 'ignore' });
  await until(() => readFileSync(file, 'utf8') !== '');
  expect(pidsIn(file).every(isRunning)).toBe(true);
  parent.kill('SIGKILL');
  await once(parent, 'close');
  await until(() => !pidsIn(file).some(isRunning));
});
