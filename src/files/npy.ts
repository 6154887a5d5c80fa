import { type Samples, samplesOf } from './samples.js';

type Reader = (view: DataView, at: number, little: boolean) => number | bigint;

const types: Readonly<Record<string, { readonly bytes: number; readonly read: Reader }>> = {
  b1: { bytes: 1, read: (view, at) => view.getUint8(at) },
  u1: { bytes: 1, read: (view, at) => view.getUint8(at) },
  i1: { bytes: 1, read: (view, at) => view.getInt8(at) },
  u2: { bytes: 2, read: (view, at, little) => view.getUint16(at, little) },
  i2: { bytes: 2, read: (view, at, little) => view.getInt16(at, little) },
  u4: { bytes: 4, read: (view, at, little) => view.getUint32(at, little) },
  i4: { bytes: 4, read: (view, at, little) => view.getInt32(at, little) },
  u8: { bytes: 8, read: (view, at, little) => view.getBigUint64(at, little) },
  i8: { bytes: 8, read: (view, at, little) => view.getBigInt64(at, little) },
  f2: { bytes: 2, read: (view, at, little) => half(view.getUint16(at, little)) },
  f4: { bytes: 4, read: (view, at, little) => view.getFloat32(at, little) },
  f8: { bytes: 8, read: (view, at, little) => view.getFloat64(at, little) },
};

/**
 * Reads an array that NumPy has saved, of any of its kinds of real numbers, byte orders and orders of axes.
 *
 * @param name of the file, for messages.
 * @throws Error with one line for what is no such array, or is cut off.
 */
export function readNpy(name: string, bytes: Uint8Array): Samples {
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
  const fortran = /'fortran_order':\s*True/.test(header);
  if (!descr || !shapeText) {
    throw new Error(`'${name}' is not a plain array of numbers, but of records or objects: save it as float32.`);
  }
  const type = types[descr[2]!];
  if (!type) {
    throw new Error(`'${name}' has numbers of type '${descr[2]}': save it as float32, x.astype('float32').`);
  }
  const shape = shapeText[1]!
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .map(Number);
  const size = shape.reduce((product, each) => product * each, 1);
  if (bytes.length - end !== size * type.bytes) {
    throw new Error(
      `'${name}' has ${bytes.length - end} bytes of numbers, but [${shape.join(', ')}] of '${descr[2]}' take ${size * type.bytes}: ` +
        'it is cut off or damaged; copy it again.',
    );
  }
  const little = descr[1] !== '>';
  // Whole numbers of up to 16 bits are float32 too; of others samplesOf sees whether they are.
  const fits = descr[2]!.startsWith('f') || type.bytes <= 2;
  const values = fits ? new Float32Array(size) : new Array<number | bigint>(size);
  const places = fortran ? rowMajor(shape) : undefined;
  for (let i = 0; i < size; i++) {
    values[places ? places[i]! : i] = type.read(view, end + i * type.bytes, little) as number;
  }
  return samplesOf(`'${name}'`, shape, values);
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
