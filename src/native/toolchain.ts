import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, resolve, sep } from 'node:path';

/** What the addon is built with. */
export interface Toolchain {
  /** A Python with pip. */
  python: string;
  /** node-gyp's script, the one npm brings along. */
  nodeGyp: string;
  /** The folder whose `include/node` holds this Node's headers; undefined where node-gyp has to download them. */
  nodeDirectory: string | undefined;
}

function onPath(...commands: string[]): boolean {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return commands.some((command) => folders.some((folder) => existsSync(join(folder, command))));
}

function findPython(): string {
  const candidates = [process.env.npm_config_python, process.env.PYTHON, 'python3', 'python'].filter((name) => !!name);
  let withoutPip = '';
  for (const candidate of candidates as string[]) {
    // What is named by a path is run from other folders too.
    const python = candidate.includes(sep) ? resolve(candidate) : candidate;
    // As pip will be run: not in the user's folder, whose files -c would take for Python's own.
    const options = { stdio: 'ignore', cwd: sep, env: { ...process.env, PYTHONSAFEPATH: '1' } } as const;
    const run = (code: string) => spawnSync(python, ['-c', code], options).status === 0;
    if (!run('import sys; sys.exit(sys.version_info < (3, 8))')) {
      continue;
    }
    if (run('import pip')) {
      return python;
    }
    withoutPip ||= python;
  }
  throw new Error(
    withoutPip
      ? `${withoutPip} has no pip, which downloads the TensorFlow C library: install it (Debian and Ubuntu: apt-get install python3-pip)`
      : 'no Python 3.8 or newer: install Python with pip (Debian and Ubuntu: apt-get install python3-pip)',
  );
}

function findNodeGyp(): string {
  const given = process.env.npm_config_node_gyp;
  if (given && existsSync(given)) {
    return given;
  }
  for (const bin of (process.env.PATH ?? '').split(delimiter)) {
    if (!existsSync(join(bin, 'npm'))) {
      continue;
    }
    try {
      return createRequire(realpathSync(join(bin, 'npm'))).resolve('node-gyp/bin/node-gyp.js');
    } catch {
      // An npm that is a wrapper of another kind: look further.
    }
  }
  throw new Error('no node-gyp, which npm brings along: run this through npm or npx');
}

/**
 * A folder whose `include/node` holds headers: the one npm is configured with, else where this Node's own were installed with
 * it. The addon speaks Node-API, so that the configured ones may be of another version.
 */
function findHeaders(): string | undefined {
  const configured = process.env.npm_config_nodedir;
  if (configured && existsSync(join(configured, 'include', 'node', 'node_api.h'))) {
    return configured;
  }
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const header = join(prefix, 'include', 'node', 'node_version.h');
  if (!existsSync(header)) {
    return undefined;
  }
  const text = readFileSync(header, 'utf8');
  const version = ['MAJOR', 'MINOR', 'PATCH'].map((part) => text.match(`NODE_${part}_VERSION (\\d+)`)?.[1]);
  return version.join('.') === process.versions.node ? prefix : undefined;
}

/** Throws one line where there is no TensorFlow wheel that fits the machine. */
export function checkPlatform(
  platform: string = process.platform,
  arch: string = process.arch,
  glibc = (process.report.getReport() as { header?: { glibcVersionRuntime?: string } }).header?.glibcVersionRuntime,
): void {
  if (platform !== 'linux' || arch !== 'x64') {
    throw new Error(
      `unsupported platform ${platform} ${arch}: this builds on linux x64; elsewhere use tfjs-node's own install, or the wasm backend`,
    );
  }
  const [major = 0, minor = 0] = (glibc ?? '').split('.').map(Number);
  if (major < 2 || (major === 2 && minor < 27)) {
    throw new Error(
      `unsupported platform: glibc 2.27 or newer is needed, this is ${glibc ? `glibc ${glibc}` : 'not glibc'}`,
    );
  }
}

/** Throws one line where the path of the package has a space: node-gyp's make would take it for two, after all has been downloaded. */
export function checkPath(directory: string): void {
  if (/\s/.test(directory)) {
    throw new Error(
      `'${directory}' has a space in it, which the build cannot take: move the project to a path without`,
    );
  }
}

/** Everything the build needs, or one line that names the first thing missing and how to get it. */
export function findToolchain(): Toolchain {
  const python = findPython();
  if (!onPath('make')) {
    throw new Error('no make: install it (Debian and Ubuntu: apt-get install build-essential)');
  }
  if (!process.env.CXX && !onPath('g++', 'c++')) {
    throw new Error('no C++ compiler: install one (Debian and Ubuntu: apt-get install build-essential)');
  }
  return { python, nodeGyp: findNodeGyp(), nodeDirectory: findHeaders() };
}
