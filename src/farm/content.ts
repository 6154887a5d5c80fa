import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
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
 * What modules of layers hold, in a word for the name of a queue; that of none is empty. What they import is not looked at.
 *
 * @throws Error with one line where one is a package, or cannot be read.
 */
export async function layersId(modules: readonly string[] = []): Promise<string> {
  if (modules.length === 0) {
    return '';
  }
  const hash = contentHash();
  for (const path of modules) {
    if (!existsSync(path)) {
      throw new Error(
        `--require ${path}: a farm takes a file, whose bytes are the same everywhere: there is no such file.`,
      );
    }
    hash.add('', Buffer.from(await hashOfData(absolutePath(path))));
  }
  return hash.digest().slice(0, 12);
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
