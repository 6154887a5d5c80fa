import { readdirSync, readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

/**
 * The id of another process of this machine that has an event file of the folder open for writing, by the names of the files, which hold
 * the id, and by /proc. A process that was killed has none open, nor has one that got its id. Where there is no /proc, other than on
 * Linux, none is found.
 *
 * @throws what `readdirSync` throws.
 */
export function otherProcessWriting(logdir: string): number | undefined {
  for (const name of readdirSync(logdir)) {
    const [, host, id] = /\btfevents\.\d+\.(.+)\.(\d+)\.\d+(?:\.v2)?$/.exec(name) ?? [];
    if (host === hostname() && Number(id) !== process.pid && isOpenIn(Number(id), join(logdir, name))) {
      return Number(id);
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
