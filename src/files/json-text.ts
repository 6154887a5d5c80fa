/** An object of JSON. */
export type Json = { [key: string]: unknown };

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Parses a JSON file.
 *
 * @param name of the file, for messages.
 * @throws Error with one line that says what the file is, where it is not JSON.
 */
export function parseJson(name: string, bytes: Uint8Array): unknown {
  const text = new TextDecoder().decode(bytes).replace(/^\ufeff/, '');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`'${name}' is not JSON but ${kindOf(text)}.`, { cause: error });
  }
}

function kindOf(text: string): string {
  const start = text.trimStart();
  if (start === '') {
    return 'empty';
  }
  if (start.startsWith('version https://git-lfs')) {
    return 'a pointer of Git LFS: git lfs pull brings the file';
  }
  if (start.startsWith('<')) {
    return 'a page of HTML: a server that has no such file may answer so; look at it in a browser';
  }
  return start.startsWith('{') || start.startsWith('[') ? 'cut off or damaged: copy it again' : 'something else';
}
