import { dirname, sep } from 'node:path';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { addonPath } from '../native/addon.js';
import { Failure } from './failure.js';
import { optionalPackage, packagePath } from './optional-package.js';

/** A backend of tf.js for Node. */
export type FileBackend = 'tensorflow' | 'wasm' | 'cpu';

const packages = {
  tensorflow: '@tensorflow/tfjs-node',
  wasm: '@tensorflow/tfjs-backend-wasm',
  cpu: '@tensorflow/tfjs-backend-cpu',
} as const satisfies Record<FileBackend, string>;

export const fileBackends = Object.keys(packages) as readonly FileBackend[];

/**
 * Starts a backend.
 *
 * @param wanted default: the native one where it is built, else wasm.
 * @throws Error with one line that names the install where it is not there.
 */
export async function startBackend(wanted?: FileBackend): Promise<FileBackend> {
  const name =
    wanted ??
    ([import.meta.dirname, process.cwd()].some((project) => addonPath(packages.tensorflow, project))
      ? 'tensorflow'
      : 'wasm');
  if (name === 'tensorflow') {
    // tfjs-node 4.22 calls both; Node 23 removed them.
    Object.assign(util, { isNullOrUndefined: (v: unknown) => v === null || v === undefined, isArray: Array.isArray });
    process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  }
  const loaded = await optionalPackage<{ setWasmPaths?(folder: string): void }>(packages[name], `the backend ${name}`);
  if (name === 'wasm') {
    loaded.setWasmPaths?.(dirname(packagePath(packages.wasm)!) + sep);
  }
  if (!(await tf.setBackend(name))) {
    throw new Failure(
      `the backend ${name} does not start here: try another, --backend ${name === 'wasm' ? 'cpu' : 'wasm'}.`,
    );
  }
  quietly(() => tf.scalar(0).dispose());
  return name;
}

/**
 * What starts a backend when it is first called: the one that is wanted; else the one that is running, where there is one.
 *
 * @throws Error with one line, when it is called, as `startBackend` does.
 */
export function backendStart(wanted: FileBackend | undefined): () => Promise<void> {
  let isStarted =
    wanted === undefined &&
    ['tensorflow', 'wasm', 'cpu', 'webgl', 'webgpu'].some((name) => tf.findBackendFactory(name));
  return async () => {
    if (!isStarted) {
      await startBackend(wanted);
      isStarted = true;
    }
  };
}

/** The cpu backend advertises the native one, in four lines, as soon as it is given a tensor. */
function quietly(action: () => void): void {
  const was = tf.env().getBool('PROD');
  tf.env().set('PROD', true);
  action();
  tf.env().set('PROD', was);
}
