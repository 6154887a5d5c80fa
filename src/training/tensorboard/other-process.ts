import { readdirSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

/**
 * The id of another process of this machine that has an event file of the folder open, by the names of the files, which hold
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
    const folder = `/proc/${id}/fd`;
    return readdirSync(folder).some((descriptor) => {
      const open = statSync(join(folder, descriptor), { throwIfNoEntry: false });
      return open?.ino === file.ino && open.dev === file.dev;
    });
  } catch {
    // No such process, or one of somebody else.
    return false;
  }
}
