import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { otherProcessWriting } from '../../../src/training/tensorboard/other-process.js';

let logdir: string;
beforeEach(() => {
  logdir = mkdtempSync(join(tmpdir(), 'other-process-'));
});
afterEach(() => rmSync(logdir, { recursive: true }));

const nameOf = (pid: number | string, host = hostname()) => `events.out.tfevents.1700000000.${host}.${pid}.0.v2`;

it('its own files, those of other machines and those that nobody has open are no matter', () => {
  const own = openSync(join(logdir, nameOf(process.pid)), 'a');
  try {
    // The parent is alive and has nothing open here: a process may have got the id of one that was killed.
    for (const name of [nameOf(process.ppid), nameOf(999_999_999), nameOf(process.ppid, 'elsewhere'), 'notes.txt']) {
      writeFileSync(join(logdir, name), '');
    }
    expect(otherProcessWriting(logdir)).toBeUndefined();
  } finally {
    closeSync(own);
  }
});

it.skipIf(process.platform !== 'linux')('a living process that has its file open is found, until it ends', async () => {
  const child = spawn('sh', [
    '-c',
    `exec 3>"$0/$1.$$.0.v2"; echo open; read line`,
    logdir,
    nameOf('x').split('.x.')[0]!,
  ]);
  await once(child.stdout, 'data');
  expect(otherProcessWriting(logdir)).toBe(child.pid);
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  expect(otherProcessWriting(logdir)).toBeUndefined();
});
