import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { lineOf } from '../warnings.js';
import { readCsvTable } from './csv-table.js';
import { readIdx } from './idx.js';
import { readImageFolder } from './image-folder.js';
import { readNestedArrays } from './nested-arrays.js';
import { NPY_HEAD, npyBytes, readNpy } from './npy.js';
import { isFolder, locate } from './place.js';
import { type FileData, namesOf, type Samples, samplesOf } from './samples.js';
import { unzip } from './zip.js';

/** Whether a file is a module of JavaScript, which exports data. */
export const isModule = (path: string) => /\.(m|c)?js$/.test(path);

/** Whether it takes the shape of an input to read a file: floats alone, and images, which may be grey or coloured. */
export const dependsOnShape = (path: string) => /\.(bin|f32)($|\?)/i.test(path) || isFolder(path);

/**
 * What a data module exports as its default: data, or a function that returns it, which is called once for each model.
 *
 * @returns the data, and whether they were made for this call.
 */
export async function readDataModule(path: string): Promise<{ readonly data: unknown; readonly isOwn: boolean }> {
  let exported: unknown;
  let data: unknown;
  try {
    ({ default: exported } = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown });
    data = typeof exported === 'function' ? await exported() : exported;
  } catch (error) {
    throw new Error(`'${path}' fails: ${lineOf(error)}`, { cause: error });
  }
  if (data === undefined) {
    throw new Error(
      `'${path}' has no default export: export default a tensor, { xs, ys } or a dataset, or a function that returns one.`,
    );
  }
  return { data, isOwn: data !== exported };
}

/** What of a path is a file's, and which of its arrays is meant, '' where none is: mnist.npz and #x_test of mnist.npz#x_test. */
export function fileOf(path: string): { readonly file: string; readonly array: string } {
  const [, file, array] = /^(.*\.(?:npz|json))(#[^#]+)$/i.exec(path) ?? [];
  return { file: file ?? path, array: array ?? '' };
}

/**
 * Reads samples from a file by its ending: .npy, .npz, .csv, .json, IDX, .bin (float32, little-endian), or a folder of images. One array
 * of several is named behind a #, as in mnist.npz#x_test.
 *
 * @param input [any, ...], the shape of the model's first input.
 * @param limit how many samples at most, of those kinds of files that need not be read whole for it.
 * @param onBytes is given all bytes of the file, and those of images that are read with the path of each.
 * @throws Error with one line for a file that is none of these, cut off or damaged.
 */
export async function readDataFile(
  path: string,
  input: readonly (number | null)[],
  limit: number,
  onBytes?: (bytes: Uint8Array, size: number, image?: string) => void,
): Promise<FileData> {
  const { file, array } = fileOf(path);
  if (array !== '') {
    const wanted = array.slice(1);
    const { arrays, labels } = await readDataFile(file, input, limit, onBytes);
    const found = arrays.get(wanted) ?? labels?.get(wanted);
    if (!found) {
      throw new Error(`'${file}' has no array '${wanted}', only ${namesOf(arrays)}.`);
    }
    return { arrays: new Map([['', found]]) };
  }
  if (isFolder(path)) {
    return readImageFolder(path, input, limit, (image, bytes) => onBytes?.(bytes, bytes.length, image));
  }
  const { name, place } = locate(path);
  const isArray = /\.npy$/i.test(name);
  const wanted = (head: Uint8Array, size: number) => npyBytes(name, head, size, limit);
  const bytes = await place.read(name, isArray ? { head: NPY_HEAD, wanted, onBytes } : undefined);
  if (!isArray) {
    onBytes?.(bytes, bytes.length);
  }
  const one = (samples: Samples): FileData => ({ arrays: new Map([['', samples]]) });
  if (isArray) {
    return one(readNpy(name, bytes, limit));
  }
  if (/\.npz$/i.test(name)) {
    const files = unzip(name, bytes, (each) => each.endsWith('.npy'));
    if (files.size === 0) {
      throw new Error(`'${name}' has no arrays: save it with numpy.savez.`);
    }
    return {
      arrays: new Map(
        [...files].map(([each, content]) => [each.replace(/\.npy$/, ''), readNpy(`${name}: ${each}`, content, limit)]),
      ),
    };
  }
  if (/\.csv$/i.test(name)) {
    return readCsvTable(name, bytes, limit);
  }
  if (/\.json$/i.test(name)) {
    return readNestedArrays(name, bytes);
  }
  if (/\.(bin|f32)$/i.test(name)) {
    return one(rawFloats(name, bytes, input));
  }
  if (/(idx\d-ubyte|\.idx)(\.gz)?$/i.test(name)) {
    return one(readIdx(name, bytes));
  }
  throw new Error(
    `'${name}' is no data that is known: .npy, .npz, .csv, .json, .bin, IDX, a folder of images, or a .js module.`,
  );
}

function rawFloats(name: string, bytes: Uint8Array, input: readonly (number | null)[]) {
  const inner = input.slice(1);
  if (inner.some((size) => size === null)) {
    throw new Error(`'${name}' has no shape, and the model takes any: save it as .npy.`);
  }
  const size = (inner as number[]).reduce((product, each) => product * each, 1);
  if (bytes.length === 0 || bytes.length % (4 * size) !== 0) {
    throw new Error(
      `'${name}' has ${bytes.length} bytes, which is no number of float32 samples of [${inner.join(', ')}]: it is cut off, or of another model.`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
  return samplesOf(`'${name}'`, [values.length / size, ...(inner as number[])], values);
}
