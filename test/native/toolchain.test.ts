import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { checkPath, checkPlatform, findToolchain } from '../../src/native/toolchain.js';
import { ownFolder } from './own-folder.js';

const { folder, bin, command } = ownFolder();

describe('one line says what is missing', () => {
  test('a platform that has a wheel', () => {
    expect(() => checkPlatform('darwin', 'arm64')).toThrow('unsupported platform darwin arm64');
    expect(() => checkPlatform('linux', 'x64', '')).toThrow('this is not glibc');
    expect(() => checkPlatform('linux', 'x64', '2.17')).toThrow('this is glibc 2.17');
    expect(() => checkPlatform('linux', 'x64', '2.27')).not.toThrow();
  });

  test('a path without spaces', () => {
    expect(() => checkPath('/home/ann/My Project/node_modules/@tensorflow/tfjs-node')).toThrow(
      /^'\/home\/ann\/My Project\/.*' has a space in it, which the build cannot take: move the project to a path without$/,
    );
    expect(() => checkPath('/home/ann/my-project')).not.toThrow();
  });

  test('Python, pip, make, a compiler, node-gyp', () => {
    vi.stubEnv('PATH', bin());
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
    vi.stubEnv('npm_config_node_gyp', join(bin(), 'g++'));
    expect(findToolchain()).toMatchObject({ python: 'python3', nodeGyp: join(bin(), 'g++') });
    // A Python given by a path is run from other folders too.
    vi.stubEnv('PYTHON', relative('.', join(bin(), 'python3')));
    expect(findToolchain().python).toBe(join(bin(), 'python3'));
    // And looked at from there: files of the project are not Python's own.
    const before = process.cwd();
    writeFileSync(join(folder(), 'pip.py'), '');
    process.chdir(folder());
    try {
      command('python3', 'test ! -e pip.py');
      vi.stubEnv('PYTHON', 'bin/python3');
      expect(findToolchain().python).toBe(join(bin(), 'python3'));
    } finally {
      process.chdir(before);
    }
  });
});
