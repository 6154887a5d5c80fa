import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { isRunning, offlineBuild, until } from './offline-build.js';

vi.setConfig({ testTimeout: 120_000 });

const build = offlineBuild();
const works = '@tensorflow/tfjs-node works: one step trained on TensorFlow 2.99';
const gone = (pids: number[][]) => until(() => !pids.flat().some(isRunning));

/** A run that is in the midst of its download. */
async function downloading(project?: string) {
  const run = build.start(project);
  const before = build.pids('pip').length;
  await until(() => build.pids('pip').length > before || run.child.exitCode !== null);
  expect(run.stderr).toBe('');
  return run;
}

/** Makes the project's build whole. */
async function whole() {
  build.prepare();
  build.go('go');
  build.go('compile');
  const run = build.start();
  await run.ended;
  expect(run.stdout).toContain(works);
}

describe('killed while it downloads', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'by %s it leaves nothing behind, and no pip running',
    async (signal) => {
      build.prepare();
      const run = await downloading();
      expect(build.cached()).toEqual([expect.stringMatching(/^download-/), 'lock']);
      run.child.kill(signal);
      // npx passes on what the terminal has sent to the whole group.
      run.child.kill(signal);
      expect(await run.ended).toEqual({ code: null, signal });
      expect(run.stderr).toBe(`tfjs-sharpness: stopped by ${signal}: what was finished is kept, the rest is removed\n`);
      expect(build.cached()).toEqual(['lock']);
      expect(build.pids('pip').flat().filter(isRunning)).toEqual([]);
    },
  );

  test('by SIGKILL, pip and its children end all the same, and the next run cleans up', async () => {
    build.prepare();
    const run = await downloading();
    run.child.kill('SIGKILL');
    await run.ended;
    await gone(build.pids('pip'));
    expect(build.cached()).toEqual([expect.stringMatching(/^download-/), 'lock']);
    build.go('go');
    build.go('compile');
    const next = build.start();
    expect(await next.ended).toEqual({ code: 0, signal: null });
    expect(next.stdout).not.toContain('another run');
    expect(next.stdout).toContain(works);
    expect(build.cached()).toEqual(['lock', build.file]);
  });

  test('a run that reads no more lines is no reason to stop half-way', async () => {
    build.prepare();
    const run = await downloading();
    run.child.stdout!.destroy();
    build.go('go');
    build.go('compile');
    expect(await run.ended).toEqual({ code: 0, signal: null });
    expect(build.cached()).toEqual(['lock', build.file]);
  });
});

test('killed while it compiles, it ends the compiler, and the next run goes on from there', async () => {
  build.prepare();
  build.go('go');
  const run = build.start();
  await until(() => build.pids('compiler').length > 0);
  run.child.kill('SIGTERM');
  expect(await run.ended).toEqual({ code: null, signal: 'SIGTERM' });
  expect(build.pids('compiler').flat().filter(isRunning)).toEqual([]);
  expect(readdirSync(build.package()).sort()).toEqual(['deps', 'index.js', 'native-build.lock', 'package.json']);
  build.go('compile');
  const next = build.start();
  await next.ended;
  expect(next.stdout).toBe(`compiling the addon\n${works}\n`);
});

describe('two at once', () => {
  test('in one project: the second waits, says so, and finds the work done', async () => {
    build.prepare();
    const first = await downloading();
    const second = build.start();
    await until(() => second.stdout !== '');
    expect(second.stdout).toBe('another run builds @tensorflow/tfjs-node in this project: waiting for it to end\n');
    build.go('go');
    build.go('compile');
    expect(await first.ended).toEqual({ code: 0, signal: null });
    expect(await second.ended).toEqual({ code: 0, signal: null });
    expect(second.stdout.split('\n').slice(1)).toEqual([works, '']);
    expect(build.pids('pip')).toHaveLength(1);
    expect(build.pids('compiler')).toHaveLength(1);
  });

  test('in two projects with one cache: one downloads for both', async () => {
    build.prepare();
    build.prepare('other');
    const first = await downloading();
    const second = build.start('other');
    await until(() => second.stdout !== '');
    expect(second.stdout).toMatch(/^another run downloads into .*cache\/tfjs-sharpness: waiting for it to end\n$/);
    build.go('go');
    build.go('compile');
    await Promise.all([first.ended, second.ended]);
    expect(second.stdout).toContain('tensorflow-cpu 2.21.0 is in the cache');
    expect([first, second].map(({ stdout }) => stdout.includes(works))).toEqual([true, true]);
    expect(build.pids('pip')).toHaveLength(1);
  });

  test('the first is killed: the second takes over', async () => {
    build.prepare();
    const first = await downloading();
    const second = build.start();
    await until(() => second.stdout !== '');
    first.child.kill('SIGKILL');
    await until(() => build.pids('pip').length === 2);
    expect(build.cached().filter((name) => name.startsWith('download-'))).toHaveLength(1);
    build.go('go');
    build.go('compile');
    expect(await second.ended).toEqual({ code: 0, signal: null });
    expect(second.stdout).toContain(works);
  });

  test('one that waits can be stopped', async () => {
    build.prepare();
    const first = await downloading();
    const second = build.start();
    await until(() => second.stdout !== '');
    second.child.kill('SIGINT');
    expect(await second.ended).toEqual({ code: null, signal: 'SIGINT' });
    expect(isRunning(first.child.pid!)).toBe(true);
    first.child.kill('SIGTERM');
    await first.ended;
  });
});

describe('what is damaged is repaired', () => {
  test('a library', async () => {
    await whole();
    const damages: [string, (path: string) => void][] = [
      ['lib/libtensorflow_framework.so.2', flipByte],
      // As some installs leave them, without a word.
      ['lib/libtensorflow_cc.so.2', (path) => rmSync(dirname(path), { recursive: true })],
    ];
    for (const [name, damage] of damages) {
      const file = join(build.package(), 'deps', name);
      const before = readFileSync(file);
      damage(file);
      const run = build.start();
      expect(await run.ended).toEqual({ code: 0, signal: null });
      expect(run.stdout.split('\n')).toEqual([
        `the TensorFlow C library is damaged (${name}): unpacking it again`,
        'tensorflow-cpu 2.21.0 is in the cache',
        'unpacking the TensorFlow C library, 0 MB',
        'compiling the addon',
        works,
        '',
      ]);
      expect(readFileSync(file)).toEqual(before);
    }
  });

  test('an addon that was cut short', async () => {
    await whole();
    writeFileSync(join(build.package(), 'lib/napi-v8/tfjs_binding.node'), 'comp');
    const run = build.start();
    await run.ended;
    expect(run.stdout).toBe(`compiling the addon\n${works}\n`);
  });

  test('nothing else in deps is touched, and where nothing is damaged nothing is done', async () => {
    await whole();
    const cuda = join(build.package(), 'deps/libcudnn.so.9');
    writeFileSync(cuda, 'cuda');
    const run = build.start();
    await run.ended;
    expect(run.stdout).toBe(`${works}\n`);
    flipByte(join(build.package(), 'deps/lib/libtensorflow_cc.so.2'));
    await build.start().ended;
    expect(readFileSync(cuda, 'utf8')).toBe('cuda');
  });
});

function flipByte(path: string): void {
  const content = readFileSync(path);
  content[content.length >> 1]! ^= 1;
  writeFileSync(path, content);
}
