import { crc32 } from 'node:zlib';
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
  let entry = 0;
  const checksums = new Map<string, number | undefined>();
  const filter = ({ name: file, size, originalSize }: { name: string; size: number; originalSize: number }) => {
    const checksum = listed[entry++];
    if (bomb !== undefined || !wanted(file)) {
      return false;
    }
    total += originalSize;
    if (total > LARGEST || originalSize > SMALL + MOST_GROWTH * size) {
      bomb = file;
      return false;
    }
    checksums.set(file, checksum);
    return true;
  };
  let listed: readonly number[] = [];
  let files: Record<string, Uint8Array>;
  try {
    listed = listedChecksums(bytes);
    files = unzipSync(bytes, { filter });
  } catch (error) {
    throw new Error(`'${name}' is cut off or damaged: copy it again.`, { cause: error });
  }
  if (bomb !== undefined) {
    throw new Error(`'${name}' is refused: ${bomb} in it would grow beyond what arrays of numbers do.`);
  }
  for (const [file, content] of Object.entries(files)) {
    if (crc32(content) !== checksums.get(file)) {
      throw new Error(`'${name}' is cut off or damaged: copy it again.`);
    }
  }
  return new Map(Object.entries(files));
}

/** CRC-32 of each file in the order of the central directory, which fflate reads and does not compare. */
function listedChecksums(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (view.getUint32(end, true) !== 0x06054b50) {
    end--;
  }
  let at = view.getUint32(end + 16, true);
  let count = view.getUint16(end + 10, true);
  // Zip64, which NumPy and Keras write from 4 GB on, has a record of its own.
  if (end >= 20 && view.getUint32(end - 20, true) === 0x07064b50) {
    const record = Number(view.getBigUint64(end - 12, true));
    at = Number(view.getBigUint64(record + 48, true));
    count = Number(view.getBigUint64(record + 32, true));
  }
  const checksums: number[] = [];
  for (let file = 0; file < count; file++) {
    checksums.push(view.getUint32(at + 16, true));
    at += 46 + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return checksums;
}
