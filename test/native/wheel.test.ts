import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { addonPath } from '../../src/native/addon.js';
import { buildNative } from '../../src/native/build.js';
import { cudaReport } from '../../src/native/cuda.js';
import { checkPlatform, findToolchain } from '../../src/native/toolchain.js';
import { fetchWheel, requireSpace, unpackWheel, wheels } from '../../src/native/wheel.js';

const wheel = wheels['@tensorflow/tfjs-node'];
let folder: string;
let bin: string;
const say = () => {};

/** A command on the otherwise empty PATH. */
function command(name: string, script: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'native-test-'));
  bin = join(folder, 'bin');
  mkdirSync(bin);
  vi.stubEnv('PYTHON', undefined);
  vi.stubEnv('npm_config_python', undefined);
  vi.stubEnv('CXX', undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

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

describe('one line says what is missing', () => {
  test('the package', async () => {
    await expect(buildNative('@tensorflow/tfjs-node-gpu', say, folder)).rejects.toThrow(
      '@tensorflow/tfjs-node-gpu is not installed in this project: npm install --ignore-scripts @tensorflow/tfjs-node-gpu',
    );
  });

  test('a platform that has a wheel', () => {
    expect(() => checkPlatform('darwin', 'arm64')).toThrow('unsupported platform darwin arm64');
    expect(() => checkPlatform('linux', 'x64', '')).toThrow('this is not glibc');
    expect(() => checkPlatform('linux', 'x64', '2.17')).toThrow('this is glibc 2.17');
    expect(() => checkPlatform('linux', 'x64', '2.27')).not.toThrow();
  });

  test('Python, pip, make, a compiler, node-gyp', () => {
    vi.stubEnv('PATH', bin);
    expect(() => findToolchain()).toThrow('no Python 3.8 or newer');
    command('python3', 'case "$2" in *pip*) exit 1;; esac');
    expect(() => findToolchain()).toThrow('python3 has no pip');
    command('python3', 'exit 0');
    expect(() => findToolchain()).toThrow('no make');
    command('make', 'exit 0');
    expect(() => findToolchain()).toThrow('no C++ compiler');
    command('g++', 'exit 0');
    vi.stubEnv('npm_config_node_gyp', undefined);
    expect(() => findToolchain()).toThrow('no node-gyp');
    vi.stubEnv('npm_config_node_gyp', join(bin, 'g++'));
    expect(findToolchain()).toMatchObject({ python: 'python3', nodeGyp: join(bin, 'g++') });
  });

  test('disk space', () => {
    expect(() => requireSpace(folder, 1e18)).toThrow(/^no disk space: 1000000000000 MB needed in .*, \d+ MB free$/);
    expect(() => requireSpace(folder, 1)).not.toThrow();
  });

  test('a download that fails leaves nothing behind', async () => {
    command('python', 'echo "ERROR: no matching distribution" >&2; exit 1');
    const fetched = fetchWheel(wheel, join(bin, 'python'), say, join(folder, 'cache'));
    await expect(fetched).rejects.toThrow(/^download failed: no matching distribution$/);
    expect(readdirSync(join(folder, 'cache'))).toEqual([]);
  });

  test('a download with another content', async () => {
    // A pip that does not check: the last argument but one is --dest=<folder>.
    command('python', `for a; do case "$a" in --dest=*) echo x > "\${a#--dest=}/${wheel.file}";; esac; done`);
    const fetched = fetchWheel(wheel, join(bin, 'python'), say, join(folder, 'cache'));
    await expect(fetched).rejects.toThrow(/^download failed: .* does not have the expected sha256$/);
    expect(readdirSync(join(folder, 'cache'))).toEqual([]);
  });

  test('a wheel that cannot be unpacked leaves no half-filled deps', async () => {
    command('python', 'echo "zipfile.BadZipFile: not a zip file" >&2; exit 1');
    const unpacked = unpackWheel(wheel, async () => 'x.whl', folder, join(bin, 'python'), say);
    await expect(unpacked).rejects.toThrow('the wheel could not be unpacked: zipfile.BadZipFile: not a zip file');
    expect(readdirSync(folder)).toEqual(['bin']);
  });
});

test('a damaged wheel in the cache is fetched again', async () => {
  const cache = join(folder, 'cache');
  mkdirSync(cache);
  writeFileSync(join(cache, wheel.file), 'half of it');
  command('python', 'echo "ERROR: offline" >&2; exit 1');
  const lines: string[] = [];
  const fetched = fetchWheel(wheel, join(bin, 'python'), (line) => lines.push(line), cache);
  await expect(fetched).rejects.toThrow('download failed: offline');
  expect(lines[0]).toMatch(/damaged: downloading it again$/);
});

test('the addon is found wherever node-pre-gyp puts it', () => {
  const directory = join(folder, 'node_modules/@tensorflow/tfjs-node');
  mkdirSync(join(directory, 'lib'), { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{}');
  expect(addonPath('@tensorflow/tfjs-node', folder)).toBeUndefined();
  mkdirSync(join(directory, 'lib/napi-v9'));
  writeFileSync(join(directory, 'lib/napi-v9/tfjs_binding.node'), '');
  expect(addonPath('@tensorflow/tfjs-node', folder)).toMatch(/napi-v9\/tfjs_binding\.node$/);
});

test('the report on CUDA names what is missing and where to put it', () => {
  expect(cudaReport(folder, true)).toEqual(['a GPU was found and is used']);
  vi.stubEnv('PATH', bin);
  vi.stubEnv('LD_LIBRARY_PATH', undefined);
  const lines = cudaReport(folder, false);
  expect(lines).toHaveLength(4);
  expect(lines[1]).toContain('NVIDIA driver');
  expect(lines[2]).toContain('libcudnn.so.9');
  expect(lines[3]).toContain(`--target ${join(folder, 'deps')}`);
  expect(lines[3]).toContain("'nvidia-cudnn-cu12>=9.3.0.75,<10'");
  mkdirSync(join(folder, 'deps/nvidia/cudnn/lib'), { recursive: true });
  writeFileSync(join(folder, 'deps/nvidia/cudnn/lib/libcudnn.so.9'), '');
  expect(cudaReport(folder, false)[2]).not.toContain('libcudnn');
  command('ldconfig', "printf '\\tlibcuda.so.1 (libc6,x86-64) => /usr/lib/libcuda.so.1\\n'");
  expect(cudaReport(folder, false)).toHaveLength(3);
});
