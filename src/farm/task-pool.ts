import { Tinypool } from 'tinypool';
import { lineOf } from '../warnings.js';
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

/**
 * @param size how many processes at most; each starts when it is needed, and is replaced when it dies.
 * @param longestMs after which a step is ended, its process with it, counted from when it was given. Default never.
 */
export function taskPool(size: number, longestMs?: number): TaskPool {
  let isClosed = false;
  const open = (): Processes => {
    const opened: Processes = { pool: openPool(size), running: new Set() };
    // One has died that had no task yet: tinypool lets those that wait for it wait for ever.
    opened.pool.on('error', (error) => {
      if (opened === processes && !isClosed) {
        processes = open();
        opened.pool.destroy().catch(() => {});
      }
      for (const fail of opened.running) {
        fail(error);
      }
    });
    return opened;
  };
  let processes = open();
  const run = async (task: Task, onProgress?: (fraction: number) => void): Promise<Outcome> => {
    const { pool, running } = processes;
    const channel = { postMessage: ({ fraction }: { fraction: number }) => onProgress?.(fraction) };
    let fail = (_: unknown) => {};
    try {
      return await new Promise<Outcome>((resolve, reject) => {
        fail = reject;
        running.add(fail);
        const limit = longestMs === undefined ? {} : { signal: AbortSignal.timeout(longestMs) };
        pool.run(task, { channel, ...limit }).then(resolve, reject);
      });
    } catch (error) {
      if (isClosed) {
        return { problem: 'stopped', kind: 'failure' };
      }
      if ((error as Error).name === 'AbortError') {
        const problem = `it took longer than ${longestMs! / 60_000} min, and was ended`;
        return { problem, kind: 'failure', isEndless: true };
      }
      return {
        problem: `the process that was to measure it has ended, perhaps for want of memory: ${lineOf(error)}`,
        kind: 'failure',
      };
    } finally {
      running.delete(fail);
    }
  };
  return {
    measure: run as TaskPool['measure'],
    merge: run as TaskPool['merge'],
    async close() {
      isClosed = true;
      await processes.pool.destroy();
    },
  };
}

interface Processes {
  readonly pool: Tinypool;
  /** What ends the wait for each task. */
  readonly running: Set<(error: unknown) => void>;
}

function openPool(size: number): Tinypool {
  return new Tinypool({
    filename: new URL(`./task-process${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href,
    // Threads would share the native addon, which can be loaded once a process.
    runtime: 'child_process',
    serialization: 'advanced',
    // Without, they would have none.
    env: process.env as Record<string, string>,
    minThreads: 0,
    maxThreads: size,
    // A process has loaded tf.js, the data and a backend: it is kept.
    idleTimeout: 2 ** 31 - 1,
  });
}
