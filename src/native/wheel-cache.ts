import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { diskErrorLine, requireSpace } from './disk.js';
import { pipDownload } from './pip.js';
import { sha256 } from './sha256.js';
import type { Say, Wheel } from './wheel.js';

/** What the folders begin with that hold a download under way. */
const partialPrefix = 'download-';

function defaultCache(): string {
  try {
    return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tfjs-sharpness');
  } catch {
    throw new Error('this user has no home folder for downloads: set XDG_CACHE_HOME to a folder that can be written');
  }
}

/**
 * The folder that keeps downloaded wheels between builds, shared by all projects: `$XDG_CACHE_HOME` or `~/.cache`, made where there is none.
 * @throws Error with one line where it cannot be made, that names the setting for another
 */
export function wheelCache(cache = defaultCache()): string {
  try {
    mkdirSync(cache, { recursive: true });
    return cache;
  } catch (error) {
    throw new Error(`${diskErrorLine(error) ?? error}: set XDG_CACHE_HOME to a folder that can be written`);
  }
}

/** Whether a path holds a file with that content. */
async function holds(path: string, expected: string, signal?: AbortSignal): Promise<boolean> {
  try {
    return (await sha256(path, 'hex', signal)) === expected;
  } catch {
    // A folder, or a file that the disk does not give back.
    signal?.throwIfAborted();
    return false;
  }
}

/** Bytes of what is in a folder, while another process adds to it and removes from it. */
function bytesSoFar(directory: string): number {
  try {
    return readdirSync(directory, { recursive: true })
      .map((entry) => statSync(join(directory, String(entry)), { throwIfNoEntry: false })?.size ?? 0)
      .reduce((a, b) => a + b, 0);
  } catch {
    return 0;
  }
}

/**
 * The wheel's path in the cache, downloaded where it is not there yet. A file whose sha256 is not the pinned one is never used: pip
 * refuses it, a damaged cached one is fetched again. Two at once in one cache are one too many: what a killed one left behind is
 * removed.
 * @throws Error with one line when pip cannot fetch it, the disk is full or the cache cannot be written; what `signal` was aborted
 * with, once nothing is left of the download
 */
export async function fetchWheel(
  wheel: Wheel,
  python: string,
  say: Say,
  cache: string,
  signal?: AbortSignal,
): Promise<string> {
  const path = join(cache, wheel.file);
  const damaged = existsSync(path);
  if (damaged && (await holds(path, wheel.sha256, signal))) {
    say(`${wheel.project} ${wheel.version} is in the cache`);
    return path;
  }
  try {
    accessSync(cache, constants.W_OK);
  } catch (error) {
    throw new Error(`${diskErrorLine(error) ?? error}: set XDG_CACHE_HOME to a folder that can be written`);
  }
  const remove = (name: string) => rmSync(join(cache, name), { recursive: true, force: true, maxRetries: 3 });
  for (const name of readdirSync(cache).filter((entry) => entry.startsWith(partialPrefix))) {
    remove(name);
  }
  if (damaged) {
    say(`the cached ${wheel.file} is damaged: downloading it again`);
    remove(wheel.file);
  }
  // pip keeps one copy in its temporary folder while it makes the other.
  requireSpace(cache, 2 * wheel.bytes);
  const partial = mkdtempSync(join(cache, partialPrefix));
  const mega = (bytes: number) => Math.round(bytes / 1e6);
  const sayBytes = () => say(`  ${mega(Math.min(bytesSoFar(partial), wheel.bytes))} of ${mega(wheel.bytes)} MB`);
  const progress = setInterval(sayBytes, 5000);
  try {
    say(`downloading ${wheel.project} ${wheel.version} from PyPI, ${mega(wheel.bytes)} MB`);
    await pipDownload(wheel, python, partial, signal);
    if (!(await holds(join(partial, wheel.file), wheel.sha256, signal))) {
      throw new Error(`download failed: ${wheel.file} does not have the expected sha256`);
    }
    renameSync(join(partial, wheel.file), path);
    return path;
  } finally {
    clearInterval(progress);
    rmSync(partial, { recursive: true, force: true, maxRetries: 3 });
  }
}
