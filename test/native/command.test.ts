import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

describe('the command', () => {
  const cli = (...args: string[]) =>
    spawnSync(process.execPath, ['--import', 'tsx', join(process.cwd(), 'src/cli.ts'), ...args], { encoding: 'utf8' });

  test('--help says what it needs', () => {
    const { status, stdout } = cli('native', '--help');
    expect(status).toBe(0);
    expect(stdout).toContain('npx tfjs-sharpness native [--gpu]');
    expect(stdout).toContain('npm install --ignore-scripts @tensorflow/tfjs-node');
  });

  test('refuses what it does not know', () => {
    expect(cli('natve')).toMatchObject({ status: 2, stderr: expect.stringContaining('usage:') });
    expect(cli('native', '--gpus')).toMatchObject({ status: 1, stderr: expect.stringContaining("'--gpus'") });
  });
});
