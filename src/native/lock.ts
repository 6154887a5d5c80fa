import { closeSync, openSync } from 'node:fs';
import { runDependent } from './dependent-process.js';

/** Locks the open file 3; the lock belongs to the open file, not to the process that asked for it. */
const takeLock = `
import fcntl
try:
  fcntl.flock(3, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
  print('held', flush=True)
  fcntl.flock(3, fcntl.LOCK_EX)
`;

/** A lock that one process at a time holds. */
export interface Lock {
  /** The file that is locked; made where there is none, and left there, since a file that is removed is another one to the next. */
  file: string;
  /** The Python that asks the system for the lock, which Node cannot. */
  python: string;
  /** Called when another process holds the lock, before it is waited for. */
  onWait: () => void;
  /** Called with the reason where the file system has no locks; the work is done without one. */
  onNone: (reason: string) => void;
  signal?: AbortSignal | undefined;
}

/**
 * Does a piece of work while no other process does one under the same lock. The system gives the lock back when this process ends,
 * however it ends: a killed one leaves no stale lock. Where nothing can be written, there is nothing to guard, and no lock.
 * @throws what the work throws, what `signal` was aborted with, and errors of the file system
 */
export async function withLock<T>(lock: Lock, work: () => Promise<T>): Promise<T> {
  let file: number;
  try {
    file = openSync(lock.file, 'a');
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      return work();
    }
    throw error;
  }
  try {
    let waited = false;
    const { code, stderr } = await runDependent(lock.python, [lock.python, '-I', '-c', takeLock], {
      signal: lock.signal,
      file,
      onOutput: (chunk) => {
        if (!waited && chunk.toString().startsWith('held')) {
          waited = true;
          lock.onWait();
        }
      },
    });
    if (code !== 0) {
      lock.onNone(stderr.trim().split('\n').at(-1) ?? '');
    }
    return await work();
  } finally {
    closeSync(file);
  }
}
