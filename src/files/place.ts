import { realpathSync, statSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lineOf } from '../warnings.js';
import { Failure } from './failure.js';

/** Where files lie: a folder, or the part of a URL before the last slash. */
export interface Place {
  /**
   * Reads a file of this place.
   *
   * @param bytesOf how many of its bytes are wanted, by the first of them and its size: of a file on this machine the others are not read.
   * @throws Error with one line where it is not there, or not in this place; and what `bytesOf` throws.
   */
  read(name: string, bytesOf?: BytesOf): Promise<Uint8Array>;
}

export interface BytesOf {
  /** How many of the first bytes to look at. */
  readonly head: number;
  wanted(head: Uint8Array, size: number): number;
  /** Is given all bytes, those too that are not wanted, piece by piece. */
  readonly onBytes?: OnBytes | undefined;
}

/** Takes the bytes of a file as they are read, first none with the size of all. */
export type OnBytes = (bytes: Uint8Array, size: number) => void;

/** A place that tells what is read of it. */
export function watched(place: Place, onRead?: (name: string, bytes: Uint8Array) => void): Place {
  return onRead === undefined
    ? place
    : {
        // Whole, whatever is wanted of it.
        read: async (name) => {
          const bytes = await place.read(name);
          onRead(name, bytes);
          return bytes;
        },
      };
}

/** Whether a path of this machine is that of a folder, also by a link. */
export const isFolder = (path: string) =>
  !isUrl(path) && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Whether a file is on a server. */
export const isUrl = (path: string) => /^https?:\/\//i.test(path);

/**
 * Finds a file by its path or URL.
 *
 * @param inFolder the file that is meant by a folder.
 * @returns the name of the file, and its place, where the files beside it are read.
 * @throws Error with one line where there is no such file.
 */
export function locate(path: string, inFolder?: string): { readonly name: string; readonly place: Place } {
  if (/^file:\/\//i.test(path)) {
    return locate(pathOf(path), inFolder);
  }
  if (isUrl(path)) {
    const url = urlOf(path);
    const name = basename(url.pathname);
    return inFolder !== undefined && (name === '' || path.endsWith('/'))
      ? { name: inFolder, place: urlPlace(url) }
      : { name, place: urlPlace(new URL('.', url), url) };
  }
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch (error) {
    throw new Error(unreadable(path, error), { cause: error });
  }
  if (isFolder && inFolder === undefined) {
    throw new Error(`'${path}' is a folder: name a file.`);
  }
  return isFolder ? { name: inFolder!, place: folderPlace(path) } : namedFile(path);
}

/** @throws Error with one line where Node throws a TypeError, as of faults of the program: the text is the user's, or the model's. */
function urlOf(text: string, base?: URL): URL {
  try {
    return new URL(text, base);
  } catch (error) {
    throw new Error(`'${text}' is no URL.`, { cause: error });
  }
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new Error(`'${url}' is no URL of a file on this machine: file:///folder/name.`, { cause: error });
  }
}

/** A link stands for what it leads to, with what lies beside that: latest.json of run7/model.json. Its ending is its own. */
function namedFile(path: string): { readonly name: string; readonly place: Place } {
  const beside = folderPlace(dirname(realpathSync(path)));
  const itself = folderPlace(dirname(path), basename(path));
  return {
    name: basename(path),
    place: { read: (name, bytesOf) => (name === basename(path) ? itself : beside).read(name, bytesOf) },
  };
}

/** @param own a file that may be a link to wherever it likes: the user has named it. */
function folderPlace(folder: string, own?: string): Place {
  return {
    read: async (name, bytesOf) => {
      const path = resolve(folder, name);
      if (isAbsolute(name) || isOutside(resolve(folder), path)) {
        throw new Error(outside(name));
      }
      try {
        if (name !== own && isOutside(realpathSync(folder), realpathSync(path))) {
          throw new Error(
            `'${name}' is a link to outside of the model's folder, where nothing is read: put the file itself there.`,
          );
        }
        return bytesOf ? await firstBytes(path, bytesOf) : await readFile(path);
      } catch (error) {
        throw 'code' in (error as Error) ? new Error(unreadable(join(folder, name), error), { cause: error }) : error;
      }
    },
  };
}

/** What is read at once has less than 2 GiB. */
const AT_ONCE = 2 ** 30;

/** Of what is only looked at. */
const BUFFER = 2 ** 23;

async function firstBytes(path: string, { head, wanted, onBytes }: BytesOf): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const start = new Uint8Array(Math.min(head, size));
    await file.read(start, 0, start.length, 0);
    onBytes?.(new Uint8Array(0), size);
    let bytes = new Uint8Array(0);
    let wrong: unknown;
    try {
      bytes = new Uint8Array(wanted(start, size));
    } catch (error) {
      wrong = error;
    }
    const rest = new Uint8Array(Math.min(onBytes ? size - bytes.length : 0, BUFFER));
    const end = onBytes ? size : bytes.length;
    for (let at = 0; at < end; ) {
      const isWanted = at < bytes.length;
      const into = isWanted ? bytes : rest;
      const start = isWanted ? at : 0;
      // No more than its size: a file may grow meanwhile.
      const { bytesRead } = await file.read(into, start, Math.min(into.length - start, AT_ONCE, end - at), at);
      if (bytesRead === 0) {
        throw new Error(`'${path}' has become shorter while it was read.`);
      }
      onBytes?.(into.subarray(start, start + bytesRead), size);
      at += bytesRead;
    }
    if (wrong !== undefined) {
      throw wrong;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

function isOutside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way);
}

function outside(name: string): string {
  return `'${name}' lies outside of the model's folder, where nothing is read: put the file into the folder, and its name into the model.`;
}

function unreadable(path: string, error: unknown): string {
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such file',
    EACCES: 'it may not be read',
    EISDIR: 'it is a folder',
    ENOTDIR: 'what should be a folder on its way is a file',
    ERR_FS_FILE_TOO_LARGE: 'it is larger than 2 GiB',
  };
  return `cannot read '${path}': ${reasons[(error as NodeJS.ErrnoException).code ?? ''] ?? lineOf(error)}.`;
}

/** How long a server may take for one file: one that answers no more would be waited for without end. */
const LONGEST_MS = 10 * 60_000;
const LARGEST = 2 ** 31;

/** @param own the URL that was given, with its query. */
function urlPlace(base: URL, own?: URL): Place {
  return {
    read: async (name, bytesOf) => {
      const url = own && basename(own.pathname) === name ? own : urlOf(name, base);
      if (url.origin !== base.origin || !url.pathname.startsWith(base.pathname)) {
        throw new Error(outside(name));
      }
      let response: Response;
      try {
        response = await fetch(url, { signal: AbortSignal.timeout(LONGEST_MS) });
      } catch (error) {
        throw new Failure(`cannot read ${url}: ${lineOf((error as Error).cause ?? error)}.`, { cause: error });
      }
      if (!response.ok) {
        const line = `cannot read ${url}: the server answers ${response.status} ${response.statusText}`.trim();
        throw isPassing(response.status) ? new Failure(line) : new Error(line);
      }
      let bytes: Uint8Array | undefined;
      try {
        bytes = await bytesWithin(response, LARGEST);
      } catch (error) {
        throw new Failure(`cannot read ${url}: ${lineOf((error as Error).cause ?? error)}.`, { cause: error });
      }
      if (bytes === undefined) {
        throw new Error(`cannot read ${url}: it is larger than 2 GiB: copy it to this machine.`);
      }
      bytesOf?.onBytes?.(bytes, bytes.length);
      return bytes;
    },
  };
}

/**
 * What a server sends, undefined where it is more than so many bytes: what they say beforehand is of the compressed ones, or nothing.
 *
 * @throws what `fetch` throws.
 */
export async function bytesWithin(response: Response, largest: number): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let size = Number(response.headers.get('content-length') ?? 0) > largest ? Number.POSITIVE_INFINITY : 0;
  const reader = response.body?.getReader();
  while (reader && size <= largest) {
    const { value } = await reader.read();
    if (value === undefined) {
      return Buffer.concat(parts, size);
    }
    parts.push(value);
    size += value.length;
  }
  await reader?.cancel();
  return reader ? undefined : new Uint8Array(0);
}

/** Whether a server may answer otherwise when it is asked again: it has too much to do, or fails. */
const isPassing = (status: number) => status === 408 || status === 429 || status >= 500;
