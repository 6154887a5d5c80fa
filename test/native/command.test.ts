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
    expect(stdout).toContain('tfjs-sharpness native [--gpu]');
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
    expect(Object.keys(entry.inputs).filter((path) => !path.includes('/commander/'))).toEqual(['src/cli.ts']);
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
    expect(cli()).toMatchObject({ status: 2, stdout: '', stderr: expect.stringMatching(/^Usage:/) });
    const hint = '(npx tfjs-sharpness --help)\n';
    expect(cli('natve')).toMatchObject({ status: 2, stderr: `tfjs-sharpness: unknown command 'natve' ${hint}` });
    expect(cli('native', 'gpu')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^tfjs-sharpness: too many arg.*\n$/),
    });
    expect(cli('native', '--gpus')).toMatchObject({
      status: 2,
      stderr: `tfjs-sharpness: unknown option '--gpus' ${hint}`,
    });
    expect(cli('measure')).toMatchObject({
      status: 2,
      stderr: `tfjs-sharpness: missing required argument 'model' ${hint}`,
    });
  });

  test('measure prints JSON, and one line for what is wrong', () => {
    const data = ['--data', 'test/fixtures/keras/k3/x0.bin', '--backend', 'wasm', '--json'];
    const { status, stdout, stderr } = cli('measure', 'test/fixtures/keras/k3', 'none.json', ...data);
    expect(status).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject([
      { model: 'test/fixtures/keras/k3', minimumSharpness: expect.closeTo(3.68374, 3) },
    ]);
    expect(stderr).toContain("tfjs-sharpness: none.json: cannot read 'none.json': there is no such file.\n");
  });
});
