import { closeSync, openSync, readdirSync, readFileSync, readSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { endOfHdf5, HDF5_HEAD, isHdf5 } from './hdf5.js';
import { isObject } from './json-text.js';
import { weightGroups } from './layers-model.js';

/** A saved model in a folder, as its files are now. */
export interface Checkpoint {
  /** Its model.json, archive or .h5, in the folder that was named. */
  readonly path: string;
  /** When the last of its files was written, in ms. */
  readonly savedMs: number;
  /** When the last of its files was written or put there, in ms. */
  readonly changedMs: number;
  /** Of sizes and times of all its files: another one, once something is written. */
  readonly state: string;
  /** What it lacks to be whole, undefined where nothing does. */
  readonly lacks?: string;
}

/** What a model.json says of the files beside it. */
interface Parsed {
  readonly state: string;
  readonly groups: readonly { readonly paths: readonly string[]; readonly bytes: number }[];
  readonly lacks?: string;
}

/** The saved models of a folder and of those in it. */
export interface CheckpointFolder {
  /**
   * @returns in the order of the time at which they were written; of one time by their numbers. None while the folder is away.
   * @throws what Node throws where the folder is there and cannot be read.
   */
  find(): Checkpoint[];
  /** One of them as it is now; undefined where it is gone. */
  look(path: string): Checkpoint | undefined;
}

/**
 * Looks for `model.json` of tf.js with its shards, `.keras` archives, and `.h5` files but for those of weights alone. Names that begin with a dot are left out, links to what is there
 * under its own name, and what may not be read. No more is read than what is new of model.json files: shards are known by their sizes.
 */
export function checkpointFolder(folder: string): CheckpointFolder {
  const known = new Map<string, Parsed>();
  const parse = (path: string, state: string): Parsed => {
    const found = known.get(path);
    const parsed = found?.state === state ? found : { state, ...contentOf(path) };
    known.set(path, parsed);
    return parsed;
  };
  const look = (path: string): Checkpoint | undefined => {
    const own = ifThere(() => statSync(path));
    if (!own?.isFile()) {
      return undefined;
    }
    const { groups, lacks } = isJson(path) ? parse(path, stateOf(own)) : { groups: [], lacks: lackOf(path, own.size) };
    const shards = groups.flatMap(({ paths, bytes }) => {
      const found = paths.map((name) => ({
        name,
        stats: ifThere(() => statSync(join(dirname(path), name))),
      }));
      const size = found.reduce((sum, { stats }) => sum + (stats?.size ?? 0), 0);
      return found.map((each) => ({ ...each, isShort: size < bytes }));
    });
    const missing = shards.find(({ stats }) => stats === undefined);
    const short = shards.find(({ isShort }) => isShort);
    const lack =
      lacks ?? (missing ? `'${missing.name}' is not there` : short ? `'${short.name}' is cut off` : undefined);
    const files = [own, ...shards.flatMap(({ stats }) => stats ?? [])];
    return {
      path,
      savedMs: Math.max(...files.map(({ mtimeMs }) => mtimeMs)),
      changedMs: Math.max(...files.map(({ mtimeMs, ctimeMs }) => Math.max(mtimeMs, ctimeMs))),
      state: files.map(stateOf).join(),
      ...(lack !== undefined && { lacks: lack }),
    };
  };
  return {
    look,
    find: () =>
      modelsIn(folder)
        .flatMap((path) => look(path) ?? [])
        .sort((a, b) => a.savedMs - b.savedMs || a.path.localeCompare(b.path, 'en', { numeric: true })),
  };
}

/** What a training or another program may do to a file between the look at its folder and the one at it. */
const away = ['ENOENT', 'ENOTDIR', 'ESTALE'];
const isOneOf = (codes: readonly string[], error: unknown) =>
  codes.includes((error as NodeJS.ErrnoException).code ?? '');

/** Undefined for what is gone, a link that leads nowhere or in a circle, and what may not be read. */
function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isOneOf([...away, 'EACCES', 'ELOOP'], error)) {
      return undefined;
    }
    throw error;
  }
}

const isJson = (path: string) => path.endsWith('.json');
const isModel = (name: string) => name === 'model.json' || /(?<!\.weights)\.(keras|h5|hdf5)$/.test(name);

/** Paths of the models in a folder and in those in it, each once: what a link leads to counts where it is not there by itself. */
function modelsIn(root: string): string[] {
  const models: string[] = [];
  /** Real paths. */
  const seen = new Set<string>();
  const links: string[] = [];
  const take = (path: string, real: string, isFolder: boolean) => {
    if (seen.has(real)) {
      return;
    }
    seen.add(real);
    if (!isFolder) {
      models.push(path);
      return;
    }
    const list = () => readdirSync(path, { withFileTypes: true });
    for (const entry of (path === root ? list() : ifThere(list)) ?? []) {
      const { name } = entry;
      if (name.startsWith('.')) {
        continue;
      }
      if (entry.isSymbolicLink()) {
        links.push(join(path, name));
      } else if (entry.isDirectory() || isModel(name)) {
        take(join(path, name), join(real, name), entry.isDirectory());
      }
    }
  };
  try {
    take(root, realpathSync(root), true);
  } catch (error) {
    // It may be made anew.
    if (isOneOf(away, error)) {
      return [];
    }
    throw error;
  }
  // Those that are found on the way as well.
  for (const link of links) {
    const isFolder = ifThere(() => statSync(link))?.isDirectory();
    const real = ifThere(() => realpathSync(link));
    if (isFolder !== undefined && real !== undefined && (isFolder || isModel(basename(link)))) {
      take(link, real, isFolder);
    }
  }
  return models;
}

const stateOf = ({ size, mtimeMs, ctimeMs, ino }: { size: number; mtimeMs: number; ctimeMs: number; ino: number }) =>
  [size, mtimeMs, ctimeMs, ino].join(':');

/** What is wrong otherwise is for the reading to say. */
function contentOf(path: string): Omit<Parsed, 'state'> {
  let file: unknown;
  try {
    file = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return { groups: [], lacks: 'it is no JSON' };
  }
  try {
    return { groups: isObject(file) ? weightGroups(path, file) : [] };
  } catch {
    return { groups: [] };
  }
}

/** What a file in one piece lacks to be whole: the end of a zip archive, a record of 22 bytes, is written last; HDF5 says where it ends. */
function lackOf(path: string, size: number): string | undefined {
  const isArchive = path.endsWith('.keras');
  const bytes = Buffer.alloc(isArchive ? 22 : HDF5_HEAD);
  let isWhole: boolean;
  try {
    const descriptor = openSync(path, 'r');
    try {
      readSync(descriptor, bytes, 0, bytes.length, isArchive ? Math.max(0, size - bytes.length) : 0);
    } finally {
      closeSync(descriptor);
    }
    // Until HDF5 closes a file, the end that stands in it may be one of before.
    if (!isArchive && isHdf5(bytes) && endOfHdf5(bytes) < size) {
      return 'it is still being written, or has bytes behind its end';
    }
    isWhole = isArchive ? bytes.readUInt32LE(0) === 0x06054b50 : isHdf5(bytes) && endOfHdf5(bytes) <= size;
  } catch {
    return 'it cannot be read';
  }
  return isWhole ? undefined : 'it is cut off';
}
