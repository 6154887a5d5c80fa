import { readdirSync, readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';

/** More than a thread opens. */
const FILES_OF_A_THREAD = 1e6;

/** Tells apart the files of a process: by the thread, and those that it opens within one second. Those of TensorFlow count from 0. */
export function numberOfFile(opened: number, thread = threadId): number {
  return FILES_OF_A_THREAD * (1 + thread) + opened;
}

/** Who else writes to a folder. */
export interface OtherWriter {
  readonly kind: 'process' | 'thread';
  /** What it is, for messages. */
  readonly name: string;
}

/**
 * Another process of this machine, or another thread of this one, that has an event file of the folder open for writing, by the names of
 * the files, which hold their numbers, and by /proc. A process that was killed has none open, nor has one that got its id. Where there is
 * no /proc, other than on Linux, none is found.
 *
 * @throws what `readdirSync` throws.
 */
export function otherWriter(logdir: string): OtherWriter | undefined {
  for (const name of readdirSync(logdir)) {
    const [, host, id, number] = /\btfevents\.\d+\.(.+)\.(\d+)\.(\d+)(?:\.v2)?$/.exec(name) ?? [];
    const thread = Math.floor(Number(number) / FILES_OF_A_THREAD) - 1;
    const isOther = Number(id) !== process.pid || (thread >= 0 && thread !== threadId);
    if (host === hostname() && isOther && isOpenIn(Number(id), join(logdir, name))) {
      return Number(id) === process.pid
        ? { kind: 'thread', name: `thread ${thread} of this program` }
        : { kind: 'process', name: `process ${id}` };
    }
  }
  return undefined;
}

function isOpenIn(id: number, path: string): boolean {
  try {
    const file = statSync(path);
    const folder = `/proc/${id}`;
    return readdirSync(join(folder, 'fd')).some((descriptor) => {
      try {
        const open = statSync(join(folder, 'fd', descriptor));
        return open.ino === file.ino && open.dev === file.dev && isForWriting(join(folder, 'fdinfo', descriptor));
      } catch {
        // Closed meanwhile, or on a disk that does not answer.
        return false;
      }
    });
  } catch {
    // No such process, or one of somebody else.
    return false;
  }
}

/** Who only reads, a TensorBoard or a backup, is no matter. */
function isForWriting(fdinfo: string): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(fdinfo, 'utf8'))?.[1];
  return (Number.parseInt(flags ?? '1', 8) & 3) !== 0;
}
