import { Tinypool } from 'tinypool';
import type { MeasuredShare, MergedReading, Outcome, Task } from './task.js';

/** Processes of this machine that take steps of plans. */
export interface TaskPool {
  /** @param onProgress is told the fraction that is done. */
  measure(
    task: Task & { readonly index: number },
    onProgress?: (fraction: number) => void,
  ): Promise<Outcome<MeasuredShare>>;
  merge(task: Task & { readonly shares: readonly MeasuredShare[] }): Promise<Outcome<MergedReading>>;
  /** Ends the processes; what they were at is lost. */
  close(): Promise<void>;
}

/** @param size how many processes at most; each starts when it is needed, and is replaced when it dies. */
export function taskPool(size: number): TaskPool {
  const pool = new Tinypool({
    filename: new URL(`./task-process${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href,
    // Threads would share the native addon, which can be loaded once a process.
    runtime: 'child_process',
    serialization: 'advanced',
    minThreads: 0,
    maxThreads: size,
    // A process has loaded tf.js, the data and a backend: it is kept.
    idleTimeout: 2 ** 31 - 1,
  });
  let isClosed = false;
  const run = async (task: Task, onProgress?: (fraction: number) => void): Promise<Outcome> => {
    try {
      return (await pool.run(task, {
        channel: { postMessage: ({ fraction }: { fraction: number }) => onProgress?.(fraction) },
      })) as Outcome;
    } catch (error) {
      if (isClosed) {
        return { problem: 'stopped', kind: 'failure' };
      }
      return {
        problem: `the process that measured it has ended, perhaps for want of memory: ${(error as Error).message}`,
        kind: 'failure',
      };
    }
  };
  return {
    measure: run as TaskPool['measure'],
    merge: run as TaskPool['merge'],
    async close() {
      isClosed = true;
      await pool.destroy();
    },
  };
}
