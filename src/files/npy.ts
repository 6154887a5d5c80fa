import { float32Of, type Samples, samplesOf } from './samples.js';

type Reader = (view: DataView, at: number, little: boolean) => number;

const types: Readonly<Record<string, { readonly bytes: number; readonly read: Reader }>> = {
  b1: { bytes: 1, read: (view, at) => view.getUint8(at) },
  u1: { bytes: 1, read: (view, at) => view.getUint8(at) },
  i1: { bytes: 1, read: (view, at) => view.getInt8(at) },
  u2: { bytes: 2, read: (view, at, little) => view.getUint16(at, little) },
  i2: { bytes: 2, read: (view, at, little) => view.getInt16(at, little) },
  u4: { bytes: 4, read: (view, at, little) => view.getUint32(at, little) },
  i4: { bytes: 4, read: (view, at, little) => view.getInt32(at, little) },
  u8: { bytes: 8, read: (view, at, little) => whole(view.getUint32(at + (little ? 4 : 0), little), view, at, little) },
  i8: { bytes: 8, read: (view, at, little) => whole(view.getInt32(at + (little ? 4 : 0), little), view, at, little) },
  f2: { bytes: 2, read: (view, at, little) => half(view.getUint16(at, little)) },
  f4: { bytes: 4, read: (view, at, little) => view.getFloat32(at, little) },
  f8: { bytes: 8, read: (view, at, little) => view.getFloat64(at, little) },
};

/** 64 bits without a BigInt, which is slow; NaN beyond what float64 holds for sure. */
function whole(high: number, view: DataView, at: number, little: boolean): number {
  return high >= -(2 ** 21) && high < 2 ** 21
    ? high * 2 ** 32 + view.getUint32(at + (little ? 0 : 4), little)
    : Number.NaN;
}

/** What stands before the numbers of an array. */
interface NpyHeader {
  /** Where they begin, in bytes. */
  readonly end: number;
  readonly descr: string;
  readonly little: boolean;
  readonly fortran: boolean;
  readonly shape: readonly number[];
  readonly type: (typeof types)[string];
}

/** Longer than the header of any array of numbers. */
export const NPY_HEAD = 4096;

/**
 * How many bytes of an array's file are needed for the first of its samples.
 *
 * @param head its first bytes, NPY_HEAD or all.
 * @param size of the whole file, in bytes.
 * @throws Error with one line for what is no such array, or is cut off.
 */
export function npyBytes(name: string, head: Uint8Array, size: number, limit: number): number {
  const header = headerOf(name, head);
  checkSize(name, header, size);
  const [count = 0] = header.shape;
  const rows = header.fortran ? count : Math.min(count, limit);
  return count === 0 ? size : header.end + (rows * (size - header.end)) / count;
}

/**
 * Reads an array that NumPy has saved, of any of its kinds of real numbers, byte orders and orders of axes.
 *
 * @param name of the file, for messages.
 * @param bytes of all of it, or as many as `npyBytes` says.
 * @param limit how many samples at most.
 * @throws Error with one line for what is no such array, or is cut off.
 */
export function readNpy(name: string, bytes: Uint8Array, limit = Number.POSITIVE_INFINITY): Samples {
  const header = headerOf(name, bytes);
  const { end, little, fortran, type, descr } = header;
  const isPart = limit < (header.shape[0] ?? 0) && !fortran;
  const shape = isPart ? [limit, ...header.shape.slice(1)] : header.shape;
  const size = sizeOf(shape);
  // All of a file may be there, of which a part is wanted.
  if (!isPart || bytes.length - end !== size * type.bytes) {
    checkSize(name, header, bytes.length);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(size);
  const places = fortran ? rowMajor(shape) : undefined;
  const isWhole = !descr.startsWith('f');
  const quoted = `'${name}'`;
  for (let i = 0; i < size; i++) {
    const value = type.read(view, end + i * type.bytes, little);
    const place = places ? places[i]! : i;
    values[place] = float32Of(quoted, value, isWhole);
  }
  return samplesOf(quoted, shape, values);
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, each) => product * each, 1);

function headerOf(name: string, bytes: Uint8Array): NpyHeader {
  if (bytes[0] !== 0x93 || String.fromCharCode(...bytes.subarray(1, 6)) !== 'NUMPY') {
    throw new Error(`'${name}' is not an .npy file: save it with numpy.save.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = bytes[6] === 1 ? 10 : 12;
  if (bytes.length < start) {
    throw new Error(`'${name}' is cut off: copy it again.`);
  }
  const end = start + (start === 10 ? view.getUint16(8, true) : view.getUint32(8, true));
  const header = new TextDecoder('latin1').decode(bytes.subarray(start, end));
  const descr = /'descr':\s*'([<>|=])(\w+)'/.exec(header);
  const shapeText = /'shape':\s*\(([^)]*)\)/.exec(header);
  if (!descr || !shapeText) {
    throw new Error(`'${name}' is not a plain array of numbers, but of records or objects: save it as float32.`);
  }
  const type = Object.hasOwn(types, descr[2]!) ? types[descr[2]!] : undefined;
  if (!type) {
    throw new Error(`'${name}' has numbers of type '${descr[2]}': save it as float32, x.astype('float32').`);
  }
  const shape = shapeText[1]!
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .map(Number);
  const fortran = /'fortran_order':\s*True/.test(header);
  return { end, descr: descr[2]!, little: descr[1] !== '>', fortran, shape, type };
}

function checkSize(name: string, { end, shape, type, descr }: NpyHeader, bytes: number): void {
  const needed = sizeOf(shape) * type.bytes;
  if (bytes - end !== needed) {
    throw new Error(
      `'${name}' has ${bytes - end} bytes of numbers, but [${shape.join(', ')}] of '${descr}' take ${needed}: ` +
        'it is cut off or damaged; copy it again.',
    );
  }
}

/** Where each element of an array whose first axis runs fastest stands when its last does. */
function rowMajor(shape: readonly number[]): Uint32Array {
  const size = shape.reduce((product, each) => product * each, 1);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, each) => product * each, 1));
  return Uint32Array.from({ length: size }, (_, i) => {
    let rest = i;
    let place = 0;
    for (let axis = 0; axis < shape.length; axis++) {
      place += (rest % shape[axis]!) * strides[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return place;
  });
}

function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) {
    return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  }
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}
