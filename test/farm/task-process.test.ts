import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('it ends with the process that has asked, whatever it is at', async () => {
  const module = join(process.cwd(), 'src/farm/task-process.ts');
  const child = spawn(
    process.execPath,
    [
      '--import',
      'tsx',
      '-e',
      `import(${JSON.stringify(module)}).then(() => process.send('ready')); setInterval(() => {}, 1000)`,
    ],
    {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    },
  );
  await new Promise((resolve) => child.once('message', resolve));
  child.kill('SIGINT');
  child.disconnect();
  expect(await new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))).toBe(1);
});
