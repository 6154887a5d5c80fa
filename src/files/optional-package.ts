import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Failure } from './failure.js';

/** Where packages are looked for: beside this one, and then in the current folder, since npx runs a package out of a folder of its own. */
const places = () => [import.meta.url, resolve('package.json')];

/** The main file of a package, undefined where it is not installed. */
export function packagePath(name: string): string | undefined {
  for (const place of places()) {
    try {
      return createRequire(place).resolve(name);
    } catch {
      // The next.
    }
  }
  return undefined;
}

/**
 * Loads a package that only some files need.
 *
 * @param purpose what needs it, for the message: 'a .keras archive'.
 * @param all what to install where it is not there: with what is needed beside it.
 * @throws Error with one line that names the install that mends it where the package is not there.
 */
export async function optionalPackage<T>(name: string, purpose: string, all = name): Promise<T> {
  const path = packagePath(name);
  if (path === undefined) {
    throw new Failure(`${purpose} needs the package ${name}: npm install ${all}`);
  }
  const loaded = (await import(pathToFileURL(path).href)) as { default?: T };
  return { ...loaded.default, ...loaded } as T;
}
