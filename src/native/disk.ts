import { statfsSync } from 'node:fs';

/** Throws one line where the disk that holds `directory` has less than `bytes` free. */
export function requireSpace(directory: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize < bytes) {
    const mega = (n: number) => `${Math.ceil(n / 1e6)} MB`;
    throw new Error(`no disk space: ${mega(bytes)} needed in ${directory}, ${mega(bavail * bsize)} free`);
  }
}

/** Whether a program's complaint is that the disk, or the user's share of it, is full. */
export function saysDiskIsFull(stderr: string): boolean {
  return /No space left on device|Disk quota exceeded/.test(stderr);
}

/** What an error of Node's file functions means to a user, in one line; undefined for any other error. */
export function diskErrorLine(error: unknown): string | undefined {
  const { code, message, path } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return `no permission for ${path}`;
    case 'EROFS':
      return `${path} is on a file system that cannot be written`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `no disk space left${path ? ` for ${path}` : ''}`;
    case 'ENOENT':
      return `${path} does not exist, or is a link to what does not`;
    case 'EEXIST':
    case 'ENOTDIR':
      return `${path} is not a folder, where one should be`;
    case 'EISDIR':
      return `${path} is a folder, where a file should be`;
    default:
      return code && /^E[A-Z0-9]+$/.test(code) ? message.replaceAll('\n', ' ') : undefined;
  }
}
