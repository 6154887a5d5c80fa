import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { joinRun } from '../../../src/training/tensorboard/run.js';
import { eventFiles, readLogdir, readStarts, readTexts } from './event-reader.js';

let logdir: string;
beforeEach(() => {
  logdir = mkdtempSync(join(tmpdir(), 'run-'));
});
afterEach(() => rmSync(logdir, { recursive: true }));

const never = () => {
  throw new Error('removed');
};
const point = (value: number) => ({ tag: `p/${value}`, value, description: 'A point.' });

it('one event holds all that is written at once: points, a text and a layout', () => {
  const run = joinRun(join(logdir, 'a'), 'p', never);
  run.write([point(1), point(2)], 7, 'text');
  run.write([point(3)], 8);
  run.write([point(1)], 9, 'text');
  run.leave();
  const folder = join(logdir, 'a');
  expect(readLogdir(folder).map(({ tag, step, description }) => [tag, step, description])).toEqual([
    ['p/1', 7, 'A point.'],
    ['p/2', 7, 'A point.'],
    ['p/3', 8, 'A point.'],
    ['p/1', 9, undefined],
  ]);
  expect(readLogdir(folder, readTexts).map(({ tag, step }) => [tag, step])).toEqual([
    ['p/reading', 7],
    ['custom_scalars__config__', 7],
  ]);
  expect(readLogdir(folder, readStarts)).toEqual([7]);
});

it('who has left may come again, to a file of its own', () => {
  for (const step of [1, 2]) {
    const run = joinRun(logdir, 'p', never);
    expect(() => joinRun(logdir, 'p', never)).toThrow(/^another writer of this program draws into the same charts/);
    run.write([point(1)], step);
    run.leave();
  }
  expect(eventFiles(logdir)).toHaveLength(2);
});

it('a writer that purges nothing starts beyond all steps', () => {
  for (const step of [5, 3]) {
    const run = joinRun(logdir, 'p', never, false);
    run.write([point(1)], step);
    run.leave();
  }
  expect(
    starts()
      .flat()
      .every((start) => start > 2 ** 60),
  ).toBe(true);
  expect(starts()).toHaveLength(2);
});

it.each([true, false])('refuses a writer with another purge in its file, which begins with { purge: %s }', (purge) => {
  const run = joinRun(logdir, 'p', never, purge);
  expect(() => joinRun(logdir, 'q', never, !purge)).toThrow(
    `another writer of this program, 'p', has { purge: ${purge} }, and they share one file: give both the same, or each a folder of its own`,
  );
  joinRun(logdir, 'q', never, purge).leave();
  run.leave();
  // Who was refused is no writer of it: the next may choose anew.
  joinRun(logdir, 'q', never, !purge).leave();
});

/** A writer's file with one point, ended. */
function written(folder: string, prefix: string, step: number): void {
  const run = joinRun(folder, prefix, never);
  run.write([{ tag: `${prefix}/minimum`, value: 1, description: 'A point.' }], step, 'text');
  run.leave();
}
const starts = () => eventFiles(logdir).map((file) => readStarts(readFileSync(file)));
const layouts = () =>
  eventFiles(logdir).map((file) => {
    const texts = readTexts(readFileSync(file)).filter(({ tag }) => tag === 'custom_scalars__config__');
    return [...String(texts.at(-1)!.text).matchAll(/([\w.]+)\/minimum/g)].map(([, prefix]) => prefix);
  });

it('a start voids nothing of other prefixes, and their charts stay in the layout', () => {
  const beyond = 2 ** 62;
  for (const [prefix, step] of [
    ['pretrain', 10],
    ['train', 5],
    ['pretrain', 8],
    ['train', 3],
    ['rain', 1],
    ['t.ain', 1],
  ] as const) {
    written(logdir, prefix, step);
  }
  expect(starts()).toEqual([[10], [beyond], [8], [3], [beyond], [beyond]]);
  expect(layouts().map((prefixes) => prefixes.length)).toEqual([1, 2, 2, 2, 3, 4]);
  expect(layouts()[1]).toEqual(['pretrain', 'train']);
});

it('one of several prefixes that goes on is enough for the file to go on, whoever writes first', () => {
  written(logdir, 'train', 50);
  const writers = ['validation', 'train'].map((prefix) => ({ prefix, run: joinRun(logdir, prefix, never) }));
  for (const { prefix, run } of writers) {
    run.write([{ tag: `${prefix}/minimum`, value: 1, description: 'A point.' }], 30);
  }
  for (const { run } of writers) {
    run.leave();
  }
  expect(starts()).toEqual([[50], [30]]);
});

it('goes on in its folder where the program changes its own, also with a folder that was removed', () => {
  const cwd = process.cwd();
  let removed = 0;
  process.chdir(logdir);
  try {
    const run = joinRun('runs/a', 'p', () => removed++);
    mkdirSync('elsewhere');
    process.chdir('elsewhere');
    rmSync(join(logdir, 'runs'), { recursive: true });
    run.write([point(1)], 1);
    run.leave();
  } finally {
    process.chdir(cwd);
  }
  expect(removed).toBe(1);
  expect(readLogdir(join(logdir, 'runs', 'a'))).toHaveLength(1);
});

it.skipIf(process.platform !== 'linux')(
  'a removed folder that another process has taken over is left to it',
  async () => {
    const folder = join(logdir, 'a');
    let removed = 0;
    const run = joinRun(folder, 'p', () => removed++);
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    const script = `exec 3>"$0/events.out.tfevents.1700000000.$1.$$.0.v2"; echo open; read line`;
    const child = spawn('sh', ['-c', script, folder, hostname()]);
    try {
      await once(child.stdout, 'data');
      for (let i = 0; i < 2; i++) {
        expect(() => run.write([point(1)], 1)).toThrow(`process ${child.pid} is writing to it`);
      }
      expect(eventFiles(folder)).toHaveLength(1);
    } finally {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    run.write([point(1)], 2);
    run.leave();
    expect(removed).toBe(1);
    expect(eventFiles(folder)).toHaveLength(2);
  },
);

it.skipIf(process.platform !== 'linux')(
  'another thread that writes to the folder is refused in one line, until it has ended',
  async () => {
    const first = joinRun(logdir, 'sharpness', () => {});
    vi.resetModules();
    vi.doMock('node:worker_threads', async (actual) => ({ ...(await actual<object>()), threadId: 5 }));
    const inThread = await import('../../../src/training/tensorboard/run.js');
    vi.doUnmock('node:worker_threads');
    expect(() => inThread.joinRun(logdir, 'sharpness', () => {})).toThrow(
      /^thread 0 of this program is writing to it: give each thread a folder of its own$/,
    );
    first.leave();
    const second = inThread.joinRun(logdir, 'sharpness', () => {});
    expect(() => joinRun(logdir, 'sharpness', () => {})).toThrow(/^thread 5 of this program/);
    second.leave();
  },
);
