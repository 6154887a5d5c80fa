import { unzipSync } from 'fflate';

/** Weights and arrays shrink little: what grows more than this has been made to fill the memory. */
const MOST_GROWTH = 100;
const SMALL = 2 ** 24;
const LARGEST = 2 ** 32;

/**
 * Unpacks some files of a zip archive, in memory.
 *
 * @param name of the archive, for messages.
 * @param wanted which of its files.
 * @throws Error with one line for no archive, a damaged one, and one that would fill the memory.
 */
export function unzip(
  name: string,
  bytes: Uint8Array,
  wanted: (name: string) => boolean,
): ReadonlyMap<string, Uint8Array> {
  let bomb: string | undefined;
  let total = 0;
  const filter = ({ name: file, size, originalSize }: { name: string; size: number; originalSize: number }) => {
    if (bomb !== undefined || !wanted(file)) {
      return false;
    }
    total += originalSize;
    if (total > LARGEST || originalSize > SMALL + MOST_GROWTH * size) {
      bomb = file;
      return false;
    }
    return true;
  };
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes, { filter });
  } catch (error) {
    throw new Error(`'${name}' is cut off or damaged: copy it again.`, { cause: error });
  }
  if (bomb !== undefined) {
    throw new Error(`'${name}' is refused: ${bomb} in it would grow beyond what arrays of numbers do.`);
  }
  return new Map(Object.entries(files));
}
