import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Lock, withLock } from '../../src/native/lock.js';
import { ownFolder } from './own-folder.js';

const { folder, bin, command } = ownFolder();
/** A lock, and what is said of it. */
function lockIn(events: string[], changes: Partial<Lock> = {}): Lock {
  return {
    file: join(folder(), 'lock'),
    python: 'python3',
    onWait: () => events.push('waits'),
    onNone: (reason) => events.push(`none: ${reason}`),
    ...changes,
  };
}

test('work under one lock is done one after the other; the second is told that it waits', async () => {
  const events: string[] = [];
  let finish = () => {};
  const first = withLock(lockIn(events), async () => {
    events.push('first begins');
    await new Promise<void>((done) => {
      finish = done;
    });
    events.push('first ends');
    return 1;
  });
  await expect.poll(() => events.length, { timeout: 30_000 }).toBe(1);
  const second = withLock(lockIn(events), async () => events.push('second begins'));
  await expect.poll(() => events.length, { timeout: 30_000 }).toBe(2);
  finish();
  expect(await first).toBe(1);
  await second;
  expect(events).toEqual(['first begins', 'waits', 'first ends', 'second begins']);
});

test('work that fails gives the lock back', async () => {
  const events: string[] = [];
  await expect(withLock(lockIn(events), () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  await withLock(lockIn(events), async () => {});
  expect(events).toEqual([]);
});

test('where the file system has no locks, it is said, and the work is done', async () => {
  const events: string[] = [];
  command('python', 'echo "OSError: [Errno 37] No locks available" >&2; exit 1');
  expect(await withLock(lockIn(events, { python: join(bin(), 'python') }), async () => 1)).toBe(1);
  expect(events).toEqual(['none: OSError: [Errno 37] No locks available']);
});

test('where nothing can be written there is no lock; what is in the place of its file is an error', async () => {
  const events: string[] = [];
  // Nobody may make a file there, root neither.
  expect(await withLock(lockIn(events, { file: '/sys/lock' }), async () => 1)).toBe(1);
  mkdirSync(join(folder(), 'lock'));
  await expect(withLock(lockIn(events), async () => 1)).rejects.toThrow('EISDIR');
  expect(events).toEqual([]);
});
