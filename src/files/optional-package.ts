/**
 * Loads a package that only some files need.
 *
 * @param purpose what needs it, for the message: 'a .keras archive'.
 * @throws Error with one line that names the install that mends it where the package is not there.
 */
export async function optionalPackage<T>(name: string, purpose: string): Promise<T> {
  let loaded: { default?: T };
  try {
    loaded = await import(name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND' || code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') {
      throw new Error(`${purpose} needs the package ${name}: npm install ${name}`, { cause: error });
    }
    throw error;
  }
  return { ...loaded.default, ...loaded } as T;
}
