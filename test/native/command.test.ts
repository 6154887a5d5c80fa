import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
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

  test('help and the version are told without what builds', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(cli('--version')).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: '' });
    expect(cli('help').stdout).toBe(cli('--help').stdout);
    const { metafile } = buildSync({
      entryPoints: ['src/cli.ts'],
      bundle: true,
      splitting: true,
      platform: 'node',
      format: 'esm',
      outdir: 'unwritten',
      write: false,
      metafile: true,
    });
    const [, entry] = Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint === 'src/cli.ts')!;
    expect(Object.keys(entry.inputs)).toEqual(['src/cli.ts']);
  });

  test('says in one line what is missing', () => {
    expect(cli('native', '--gpu')).toMatchObject({
      status: 1,
      stdout: '',
      stderr:
        'tfjs-sharpness: @tensorflow/tfjs-node-gpu is not installed in this project: npm install --ignore-scripts @tensorflow/tfjs-node-gpu\n',
    });
  });

  test('refuses what it does not know', () => {
    expect(cli()).toMatchObject({ status: 2, stdout: '', stderr: expect.stringMatching(/^usage:/) });
    expect(cli('natve').stderr).toMatch(/^tfjs-sharpness: unknown command 'natve': the only one is native\n\nusage:/);
    expect(cli('native', 'gpu').stderr).toMatch(/^tfjs-sharpness: native takes no 'gpu'\n\nusage:/);
    expect(cli('native', '--gpus').stderr).toBe(
      "tfjs-sharpness: Unknown option '--gpus' (npx tfjs-sharpness --help)\n",
    );
    expect(cli('native', '--gpu=yes').stderr).toMatch(/^tfjs-sharpness: Option '--gpu' does not take an argument.*\n$/);
    expect(cli('natve')).toMatchObject({ status: 2, stderr: expect.stringContaining('usage:') });
    expect(cli('native', '--gpus')).toMatchObject({ status: 1, stderr: expect.stringContaining("'--gpus'") });
  });
});
