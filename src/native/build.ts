import { accessSync, constants, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { addonPath, type NativePackage, packageDirectory } from './addon.js';
import { cudaReport } from './cuda.js';
import { runDependent } from './dependent-process.js';
import { diskErrorLine, saysDiskIsFull } from './disk.js';
import { damagedLibrary, unpackWheel } from './library.js';
import { type Lock, withLock } from './lock.js';
import { checkPath, checkPlatform, findToolchain, type Toolchain } from './toolchain.js';
import { type TrainedStep, trainedStep } from './trained-step.js';
import { type Say, wheels } from './wheel.js';
import { fetchWheel, wheelCache } from './wheel-cache.js';

/** Whether the package has an addon on an undamaged library that trains: what that found, or the line that says why not. */
async function findBuilt(name: NativePackage, directory: string, project: string, signal?: AbortSignal) {
  if (!addonPath(name, project)) {
    return 'not built';
  }
  const damaged = await damagedLibrary(directory, signal);
  return damaged ? `${damaged} is damaged` : trainedStep(directory, signal);
}

async function compile(directory: string, tools: Toolchain, say: Say, signal?: AbortSignal): Promise<void> {
  say('compiling the addon');
  const log = join(directory, 'native-build.log');
  const script = createRequire(join(directory, 'package.json')).resolve('@mapbox/node-pre-gyp/bin/node-pre-gyp');
  const settings = {
    npm_config_node_gyp: tools.nodeGyp,
    npm_config_nodedir: tools.nodeDirectory,
    npm_config_jobs: 'max',
  };
  let output = '';
  let code: number | null;
  try {
    ({ code } = await runDependent(tools.python, [process.execPath, script, 'install', '--build-from-source'], {
      cwd: directory,
      env: { ...process.env, ...settings },
      onOutput: (chunk) => {
        output += chunk;
      },
      signal,
    }));
  } finally {
    for (const name of readdirSync(directory).filter((entry) => /^build(-tmp-|$)/.test(entry))) {
      rmSync(join(directory, name), { recursive: true, force: true, maxRetries: 3 });
    }
  }
  writeFileSync(log, output);
  if (code === 0) {
    return;
  }
  if (!tools.nodeDirectory && /http GET .*headers/.test(output) && output.includes('ERR! configure error')) {
    throw new Error(
      `node-gyp could not download the headers of Node ${process.version}: use a Node that was installed with its headers (include/node beside bin), or set npm_config_nodedir to a folder with include/node`,
    );
  }
  if (saysDiskIsFull(output)) {
    throw new Error(`the addon did not compile: no disk space left (all of it: ${relative('.', log)})`);
  }
  const reason = output.split('\n').find((line) => /error: /i.test(line)) ?? `exit code ${code}`;
  const short = reason.replace('gyp ERR! stack ', '').trim();
  throw new Error(`the addon did not compile: ${short} (all of it: ${relative('.', log)})`);
}

/** Unpacks and compiles what is missing, alone in the package and, while it downloads, in the cache; what the addon then does. */
async function buildAlone(
  name: NativePackage,
  directory: string,
  project: string,
  say: Say,
  signal?: AbortSignal,
): Promise<TrainedStep> {
  checkPlatform();
  checkPath(directory);
  accessSync(directory, constants.W_OK);
  const tools = findToolchain();
  const wheel = wheels[name];
  const lock = (file: string, theOther: string): Lock => ({
    file,
    python: tools.python,
    onWait: () => say(`another run ${theOther}: waiting for it to end`),
    onNone: (reason) => say(`run one at a time, the file system of ${file} has no locks: ${reason}`),
    signal,
  });
  const fetched = async () => {
    const cache = wheelCache();
    return withLock(lock(join(cache, 'lock'), `downloads into ${cache}`), () =>
      fetchWheel(wheel, tools.python, say, cache, signal),
    );
  };
  return withLock(lock(join(directory, 'native-build.lock'), `builds ${name} in this project`), async () => {
    // Another run may have built it since the first look, also where there was no need to wait.
    const built = await findBuilt(name, directory, project, signal);
    if (typeof built !== 'string') {
      return built;
    }
    await unpackWheel(wheel, fetched, directory, tools.python, say, signal);
    await compile(directory, tools, say, signal);
    const result = await trainedStep(directory, signal);
    if (typeof result === 'string') {
      throw new Error(`${name} was built but does not train: ${result}`);
    }
    return result;
  });
}

/**
 * Builds the native addon of `@tensorflow/tfjs-node`, or of `@tensorflow/tfjs-node-gpu`, in a project that has the package
 * installed without its install script, and without the download that script needs: on the TensorFlow C library of the PyPI
 * wheel `tensorflow-cpu`, or `tensorflow`, fetched by version and sha256. Finished steps are kept: a second run does only what
 * is missing or damaged, and one that finds a working addon on an undamaged library does nothing. Of two at once in one project the
 * second waits.
 * @throws Error with one line that says what is missing and how to get it; what `signal` was aborted with, once the processes
 * that were started have ended and what they left half done is removed
 */
export async function buildNative(
  name: NativePackage,
  say: Say,
  project = process.cwd(),
  signal?: AbortSignal,
): Promise<void> {
  const directory = packageDirectory(name, project);
  if (!directory) {
    throw new Error(`${name} is not installed in this project: npm install --ignore-scripts ${name}`);
  }
  let result: TrainedStep;
  try {
    const built = await findBuilt(name, directory, project, signal);
    result = typeof built === 'string' ? await buildAlone(name, directory, project, say, signal) : built;
  } catch (error) {
    signal?.throwIfAborted();
    const line = diskErrorLine(error);
    throw line ? new Error(line) : error;
  }
  say(`${name} works: one step trained on TensorFlow ${result.tensorflow}`);
  if (name === '@tensorflow/tfjs-node-gpu') {
    cudaReport(directory, result.gpu).forEach(say);
  }
  if (Number(process.versions.node.split('.')[0]) >= 23) {
    say(
      'note: tfjs-node 4.22 calls two functions that Node 23 removed; before training write: Object.assign(util, { isNullOrUndefined: (v) => v == null, isArray: Array.isArray }) with the default import of node:util',
    );
  }
}
