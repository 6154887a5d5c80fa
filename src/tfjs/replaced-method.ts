/** Runs a scope with another method in the place of one of an object's, which has its own back afterwards, or none as before. */
export function replacing<T extends object, K extends keyof T & string, R>(
  object: T,
  name: K,
  replacement: T[K],
  scope: () => R,
): R {
  const own = Object.getOwnPropertyDescriptor(object, name);
  object[name] = replacement;
  try {
    return scope();
  } finally {
    if (own) {
      Object.defineProperty(object, name, own);
    } else {
      delete object[name];
    }
  }
}
