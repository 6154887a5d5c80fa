import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filesIn } from '../files/image-folder.js';
import { isFolder, isUrl, locate, type OnBytes } from '../files/place.js';

/** A path that means the same from whatever folder it is read. */
export function absolutePath(path: string): string {
  return isUrl(path) ? path : resolve(/^file:\/\//i.test(path) ? fileURLToPath(path) : path);
}

/** SHA-256 of files: equal where their names and their bytes are, in the same order. */
export function contentHash() {
  const hash = createHash('sha256');
  const begin = (name: string, size: number) => {
    // Lengths tell where a name ends and bytes begin.
    hash.update(`${Buffer.byteLength(name)} ${size} ${name}`);
  };
  return {
    begin,
    more: (bytes: Uint8Array) => {
      hash.update(bytes);
    },
    add(name: string, bytes: Uint8Array) {
      begin(name, bytes.length);
      hash.update(bytes);
    },
    digest: () => hash.digest('hex'),
  };
}

/** The hash of a file as it is read. @param done is given it behind the last byte, and may throw. */
export function hashWhileRead(done: (hash: string) => void): OnBytes {
  const hash = contentHash();
  let count: number | undefined;
  return (bytes, size) => {
    if (count === undefined) {
      hash.begin('', size);
      count = 0;
    }
    hash.more(bytes);
    count += bytes.length;
    if (count === size) {
      done(hash.digest());
    }
  };
}

/**
 * What modules of layers hold, in their order, in a word for the name of a queue; that of none is empty. What they import is not looked at.
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
 * Of a file, whatever its name; of a folder of images, with the names of all files in it. Files of any size are read piece by piece.
 *
 * @param read what has been read already of a folder: the hash of each file by its path.
 * @throws Error with one line where it cannot be read.
 */
export async function hashOfData(path: string, read: ReadonlyMap<string, string> = new Map()): Promise<string> {
  if (!isFolder(path)) {
    return hashOfFile(path);
  }
  const hash = contentHash();
  for (const file of filesIn(path)) {
    hash.add(relative(path, file), Buffer.from(read.get(file) ?? (await hashOfFile(file))));
  }
  return hash.digest();
}

async function hashOfFile(path: string): Promise<string> {
  const { name, place } = locate(path);
  // The place throws where it does not come to the last byte.
  let found!: string;
  const onBytes = hashWhileRead((hash) => {
    found = hash;
  });
  await place.read(name, { head: 0, wanted: () => 0, onBytes });
  return found;
}
