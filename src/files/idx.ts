import { gunzipSync } from 'node:zlib';
import { float32Of, type Samples, samplesOf } from './samples.js';

const types: Readonly<Record<number, readonly [bytes: number, read: (view: DataView, at: number) => number]>> = {
  8: [1, (view, at) => view.getUint8(at)],
  9: [1, (view, at) => view.getInt8(at)],
  11: [2, (view, at) => view.getInt16(at)],
  12: [4, (view, at) => view.getInt32(at)],
  13: [4, (view, at) => view.getFloat32(at)],
  14: [8, (view, at) => view.getFloat64(at)],
};

/** Larger than any IDX file that is known. */
const LARGEST = 2 ** 31;

/**
 * Reads an IDX file, as MNIST comes in, also as .gz.
 *
 * @param name of the file, for messages.
 * @throws Error with one line for what is no such file, or is cut off.
 */
export function readIdx(name: string, packed: Uint8Array): Samples {
  let bytes = packed;
  if (packed[0] === 0x1f && packed[1] === 0x8b) {
    try {
      bytes = gunzipSync(packed, { maxOutputLength: LARGEST });
    } catch (error) {
      throw new Error(`'${name}' is cut off or damaged: copy it again.`, { cause: error });
    }
  }
  const type = bytes[0] === 0 && bytes[1] === 0 ? types[bytes[2]!] : undefined;
  const rank = bytes[3] ?? 0;
  if (!type || rank === 0 || bytes.length < 4 + 4 * rank) {
    throw new Error(`'${name}' is not an IDX file.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const start = 4 + 4 * rank;
  const size = shape.reduce((product, each) => product * each, 1);
  if (bytes.length - start !== size * type[0]) {
    throw new Error(
      `'${name}' has ${bytes.length - start} bytes of numbers, but its header speaks of ${size * type[0]}: it is cut off or damaged.`,
    );
  }
  const quoted = `'${name}'`;
  const isWhole = bytes[2]! < 13;
  return samplesOf(
    quoted,
    shape,
    Float32Array.from({ length: size }, (_, i) => float32Of(quoted, type[1](view, start + i * type[0]), isWhole)),
  );
}
