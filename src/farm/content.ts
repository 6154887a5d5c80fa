import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isFolder, isUrl, locate } from '../files/place.js';

/** A path that means the same from whatever folder it is read. */
export function absolutePath(path: string): string {
  return isUrl(path) ? path : resolve(/^file:\/\//i.test(path) ? fileURLToPath(path) : path);
}

/** SHA-256 of files: equal where their names and their bytes are, in the same order. */
export function contentHash(): { add(name: string, bytes: Uint8Array): void; digest(): string } {
  const hash = createHash('sha256');
  return {
    add(name, bytes) {
      // Lengths tell where a name ends and bytes begin.
      hash.update(`${Buffer.byteLength(name)} ${bytes.length} ${name}`).update(bytes);
    },
    digest: () => hash.digest('hex'),
  };
}

/**
 * Of a file, whatever its name; of a folder of images, with the names of all files in it.
 *
 * @throws Error with one line where it cannot be read.
 */
export async function hashOfData(path: string): Promise<string> {
  const hash = contentHash();
  if (isFolder(path)) {
    const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
    for (const name of names.filter((each) => !isFolder(join(path, each)))) {
      hash.add(name, readFileSync(join(path, name)));
    }
  } else {
    const { name, place } = locate(path);
    hash.add('', await place.read(name));
  }
  return hash.digest();
}
