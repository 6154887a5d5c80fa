import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { runDependent } from './dependent-process.js';
import { requireSpace, saysDiskIsFull } from './disk.js';
import { sha256 } from './sha256.js';
import type { Say, Wheel } from './wheel.js';

/** The libraries, and the names that the linker looks for. */
const links = {
  'libtensorflow_cc.so.2': 'libtensorflow.so',
  'libtensorflow_framework.so.2': 'libtensorflow_framework.so',
};
/** What the record of the files that came out of a wheel ends with; its name begins with the wheel's. */
const recordSuffix = '.unpacked';
/** What the folders begin with where a wheel is being unpacked. */
const partialPrefix = 'deps-';

/** What the addon is compiled against and linked with, and the wheel's own record of it; its other 13,000 headers are left in it. */
const unpackScript = `
import sys, zipfile
wheel, target, *libraries = sys.argv[1:]
headers = tuple('tensorflow/include/' + p for p in (
  'tensorflow/c/', 'tensorflow/core/platform/ctstring', 'tsl/platform/ctstring', 'xla/tsl/c/'))
libraries = ['tensorflow/' + name for name in libraries]
with zipfile.ZipFile(wheel) as z:
  names = [n for n in z.namelist() if n.startswith(headers) or n in libraries]
  z.extractall(target, names)
  record = next(n for n in z.namelist() if n.endswith('.dist-info/RECORD'))
  lines = z.read(record).decode().splitlines()
with open(target + '/RECORD', 'w') as out:
  out.writelines(line + '\\n' for line in lines if line.rsplit(',', 2)[0] in names)
`;

/** The files that a record names, with the sha256 that each had in the wheel. */
function recorded(record: string): { path: string; hash: string }[] {
  return [...record.matchAll(/^(.+),sha256=([\w-]+),\d+$/gm)].map(([, path, hash]) => ({ path: path!, hash: hash! }));
}

/** The first of the files in a record that a folder does not hold as they were. */
async function damagedFile(directory: string, record: string, signal?: AbortSignal): Promise<string | undefined> {
  for (const { path, hash } of recorded(record)) {
    const found = await sha256(join(directory, path), 'base64url', signal).catch(() => undefined);
    signal?.throwIfAborted();
    if (found !== hash) {
      return path;
    }
  }
  return Object.values(links)
    .map((link) => join('lib', link))
    .find((link) => !existsSync(join(directory, link)));
}

/**
 * The first file of the package's `deps/` that is not what was unpacked there, compared by sha256; undefined where all are, and where it is
 * not known what they should be, as after tfjs-node's own install.
 * @throws what `signal` was aborted with
 */
export async function damagedLibrary(directory: string, signal?: AbortSignal): Promise<string | undefined> {
  const deps = join(directory, 'deps');
  const record = existsSync(deps) && readdirSync(deps).find((name) => name.endsWith(recordSuffix));
  const damaged = record && (await damagedFile(deps, readFileSync(join(deps, record), 'utf8'), signal));
  return damaged ? join('deps', damaged) : undefined;
}

/**
 * Fills the package's `deps/` with the C library: `include/`, and `lib/` with the links that the linker looks for. A file named after
 * the wheel comes last, with the sha256 of each; where it is there and all of them are as it says, nothing is done. What else is in
 * `deps/`, such as CUDA's libraries, stays.
 * @throws Error with one line when the wheel cannot be unpacked or the disk is full; what `signal` was aborted with, once nothing is
 * left of a half of it
 */
export async function unpackWheel(
  wheel: Wheel,
  fetched: () => Promise<string>,
  directory: string,
  python: string,
  say: Say,
  signal?: AbortSignal,
): Promise<void> {
  const remove = (path: string) => rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  const entries = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);
  for (const name of entries(directory).filter((entry) => entry.startsWith(partialPrefix))) {
    remove(join(directory, name));
  }
  const deps = join(directory, 'deps');
  const recordName = wheel.file + recordSuffix;
  if (existsSync(join(deps, recordName))) {
    const record = readFileSync(join(deps, recordName), 'utf8');
    const damaged = await damagedFile(deps, record, signal);
    if (!damaged && recorded(record).length > 0) {
      return;
    }
    say(`the TensorFlow C library is damaged (${damaged ?? recordName}): unpacking it again`);
  }
  const path = await fetched();
  requireSpace(directory, wheel.unpackedBytes);
  const partial = mkdtempSync(join(directory, partialPrefix));
  try {
    say(`unpacking the TensorFlow C library, ${Math.round(wheel.unpackedBytes / 1e6)} MB`);
    const command = [python, '-I', '-c', unpackScript, resolve(path), partial, ...Object.keys(links)];
    const { code, stderr } = await runDependent(python, command, { signal });
    if (code !== 0) {
      const reason = saysDiskIsFull(stderr) ? `no disk space left in ${directory}` : stderr.trim().split('\n').at(-1);
      throw new Error(`the wheel could not be unpacked: ${reason}`);
    }
    const lib = join(partial, 'lib');
    mkdirSync(lib);
    for (const [name, link] of Object.entries(links)) {
      renameSync(join(partial, 'tensorflow', name), join(lib, name));
      symlinkSync(name, join(lib, link));
    }
    renameSync(join(partial, 'tensorflow', 'include'), join(partial, 'include'));
    const record = readFileSync(join(partial, 'RECORD'), 'utf8')
      .replace(/^tensorflow\/(?=include\/)/gm, '')
      .replace(/^tensorflow\/(?=lib)/gm, 'lib/');
    const damaged = await damagedFile(partial, record, signal);
    if (damaged) {
      throw new Error(`the wheel could not be unpacked: ${damaged} is not on the disk as it is in the wheel`);
    }
    writeFileSync(join(partial, recordName), record);
    mkdirSync(deps, { recursive: true });
    for (const name of entries(deps).filter((entry) => entry.endsWith(recordSuffix))) {
      remove(join(deps, name));
    }
    for (const name of ['include', 'lib', recordName]) {
      remove(join(deps, name));
      renameSync(join(partial, name), join(deps, name));
    }
  } finally {
    remove(partial);
  }
}
