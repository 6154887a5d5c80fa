import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

/** The two packages of tf.js that run on the TensorFlow C library. */
export type NativePackage = '@tensorflow/tfjs-node' | '@tensorflow/tfjs-node-gpu';

/** The folder where a project's copy of the package is installed, undefined where it is not. */
export function packageDirectory(name: NativePackage, project = process.cwd()): string | undefined {
  try {
    return dirname(createRequire(resolve(project, 'package.json')).resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}

/** The compiled addon of a project's copy of the package (`lib/napi-v8/tfjs_binding.node`), undefined where there is none. */
export function addonPath(name: NativePackage, project = process.cwd()): string | undefined {
  const directory = packageDirectory(name, project);
  if (!directory || !existsSync(join(directory, 'lib'))) {
    return undefined;
  }
  return readdirSync(join(directory, 'lib'))
    .map((entry) => join(directory, 'lib', entry, 'tfjs_binding.node'))
    .find((path) => existsSync(path));
}
