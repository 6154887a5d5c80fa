import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { lineOf } from '../warnings.js';
import { Failure } from './failure.js';

/**
 * Loads modules that register layers with `tf.serialization.registerClass`.
 *
 * @param paths files, or packages of the current folder.
 * @param start starts a backend: modules may compute.
 * @throws Error with one line for one that fails, or that would register its layers in another copy of tf.js.
 */
export async function loadModules(paths: readonly string[], start: () => Promise<void>): Promise<void> {
  for (const path of paths) {
    await start();
    await loadModule(path);
  }
}

async function loadModule(path: string): Promise<void> {
  const isFile = existsSync(path);
  try {
    // The user's own packages lie in the user's folder.
    const found = isFile ? resolve(path) : createRequire(resolve('package.json')).resolve(path);
    checkSameLayers(path, found);
    await import(pathToFileURL(found).href);
  } catch (error) {
    throw error instanceof Failure ? error : new Error(`cannot load '${path}': ${lineOf(error)}`, { cause: error });
  }
}

/** Each copy of tf.js' core has its own classes of layers. */
function checkSameLayers(path: string, module: string): void {
  const core = '@tensorflow/tfjs-core';
  let theirs: string;
  try {
    theirs = createRequire(module).resolve(core);
  } catch {
    return;
  }
  if (theirs !== createRequire(import.meta.url).resolve(core)) {
    throw new Failure(
      `'${path}' would register its layers in another copy of ${core} than the one that measures: ` +
        'npm install tfjs-sharpness in its project, and run it there.',
    );
  }
}
