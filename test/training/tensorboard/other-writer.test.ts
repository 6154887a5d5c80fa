import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { numberOfFile, otherWriter } from '../../../src/training/tensorboard/other-writer.js';

vi.mock('node:fs', async (importOriginal) => {
  const actual = await importOriginal<typeof fs>();
  return { ...actual, statSync: vi.fn(actual.statSync) };
});

let logdir: string;
beforeEach(() => {
  logdir = fs.mkdtempSync(join(tmpdir(), 'other-writer-'));
});
afterEach(() => fs.rmSync(logdir, { recursive: true }));

const nameOf = (pid: number | string, host = hostname(), number = 0) =>
  `events.out.tfevents.1700000000.${host}.${pid}.${number}.v2`;

it('its own files, those of other machines and those that nobody has open are no matter', () => {
  const own = fs.openSync(join(logdir, nameOf(process.pid)), 'a');
  try {
    // The parent is alive and has nothing open here: a process may have got the id of one that was killed.
    for (const name of [nameOf(process.ppid), nameOf(999_999_999), nameOf(process.ppid, 'elsewhere'), 'notes.txt']) {
      fs.writeFileSync(join(logdir, name), '');
    }
    expect(otherWriter(logdir)).toBeUndefined();
  } finally {
    fs.closeSync(own);
  }
});

/** A process that has opened a file of its own in the folder. */
async function opened(redirection: '>' | '<') {
  const name = nameOf('x').split('.x.')[0]!;
  const script = `file="$0/$1.$$.0.v2"; : >"$file"; exec 3${redirection}"$file"; echo open; read line`;
  const child = spawn('sh', ['-c', script, logdir, name]);
  await once(child.stdout, 'data');
  return {
    pid: child.pid,
    async end() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

it.skipIf(process.platform !== 'linux')('a living process that has its file open is found, until it ends', async () => {
  const child = await opened('>');
  expect(otherWriter(logdir)).toEqual({ kind: 'process', name: `process ${child.pid}` });
  // One of its files lies where this process may not look.
  const stat = vi.mocked(fs.statSync) as unknown as ReturnType<typeof vi.fn>;
  const actual = stat.getMockImplementation() as typeof fs.statSync;
  stat.mockImplementation((path: string) => {
    if (path === `/proc/${child.pid}/fd/0`) {
      throw new Error('EACCES');
    }
    return actual(path);
  });
  expect(otherWriter(logdir)).toEqual({ kind: 'process', name: `process ${child.pid}` });
  stat.mockImplementation(actual);
  await child.end();
  expect(otherWriter(logdir)).toBeUndefined();
});

it.skipIf(process.platform !== 'linux')('a process that only reads its file is no matter', async () => {
  const child = await opened('<');
  expect(otherWriter(logdir)).toBeUndefined();
  await child.end();
});

it.skipIf(process.platform !== 'linux')(
  'another thread that has its file open is found; TensorFlow in this process is no matter',
  () => {
    const open = (number: number) => fs.openSync(join(logdir, nameOf(process.pid, hostname(), number)), 'a');
    const own = [open(0), open(17), open(numberOfFile(0)), open(numberOfFile(7))];
    expect(otherWriter(logdir)).toBeUndefined();
    const other = open(numberOfFile(3, 5));
    expect(otherWriter(logdir)).toEqual({ kind: 'thread', name: 'thread 5 of this program' });
    fs.closeSync(other);
    expect(otherWriter(logdir)).toBeUndefined();
    own.map(fs.closeSync);
  },
);
