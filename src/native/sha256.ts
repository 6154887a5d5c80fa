import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/**
 * The sha256 of a file's content.
 * @throws what `signal` was aborted with, and errors of the file system
 */
export async function sha256(path: string, encoding: 'hex' | 'base64url', signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    signal?.throwIfAborted();
    hash.update(chunk);
  }
  return hash.digest(encoding);
}
