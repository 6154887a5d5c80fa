import { readdirSync, realpathSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lineOf } from '../warnings.js';
import { optionalPackage } from './optional-package.js';
import { type FileData, samplesOf } from './samples.js';

interface Picture {
  readonly width: number;
  readonly height: number;
  /** RGBA. */
  readonly data: Uint8Array;
}

interface Pngjs {
  readonly PNG: { readonly sync: { read(bytes: Uint8Array): Picture } };
}

interface JpegJs {
  decode(bytes: Uint8Array, options: object): Picture;
}

/**
 * Reads a folder of PNG and JPEG images, each class a folder of its own in the order of their names, as Keras'
 * `image_dataset_from_directory` has them without shuffling: values from 0 to 255, labels as numbers of classes.
 *
 * @param input [any, H, W, C] of the model: 1 channel for grey, 3 for colours, 4 with opacity; grey where it has no axis for channels.
 * @param limit how many at most, from all classes in turn.
 * @param onRead is given the bytes of each image that is read.
 * @throws Error with one line for images of different sizes, damaged ones, of other formats, and a folder without any.
 */
export async function readImageFolder(
  folder: string,
  input: readonly (number | null)[],
  limit: number,
  onRead?: (path: string, bytes: Uint8Array) => void,
): Promise<FileData> {
  const perClass = entriesOf(folder)
    .filter(({ isFolder }) => isFolder)
    .map(({ path }) => imagesIn(foldersIn(path)));
  const longest = Math.max(0, ...perClass.map((files) => files.length));
  const turns = Array.from({ length: longest }, (_, turn) =>
    perClass.flatMap((files, label) => (turn < files.length ? [{ label, turn }] : [])),
  ).flat();
  const isLabelled = turns.length > 0;
  // In the order of the folders again, in which labels and predictions of other files are.
  const ordered = turns.slice(0, limit).sort((a, b) => a.label - b.label || a.turn - b.turn);
  const chosen = isLabelled
    ? ordered.map(({ label, turn }) => ({ path: perClass[label]![turn]!, label }))
    : imagesIn([folder])
        .slice(0, limit)
        .map((path) => ({ path, label: 0 }));
  if (chosen.length === 0) {
    throw new Error(`'${folder}' has no PNG or JPEG images, neither in it nor in a folder for each class.`);
  }
  const channels = channelsOfInput(input);
  let size: string | undefined;
  let shape: number[] = [];
  const values: Float32Array[] = [];
  for (const { path } of chosen) {
    const picture = await decode(path, onRead);
    const own = `${picture.width} x ${picture.height}`;
    size ??= own;
    if (own !== size) {
      throw new Error(`'${path}' is ${own}, but others are ${size}: resize them to the size that the model takes.`);
    }
    const { height, width } = picture;
    shape = input.length === 2 ? [height * width] : input.length === 3 ? [height, width] : [height, width, channels];
    values.push(channelsOf(picture, channels));
  }
  const whole = new Float32Array(values.length * values[0]!.length);
  values.forEach((each, i) => {
    whole.set(each, i * each.length);
  });
  return {
    arrays: new Map([['', samplesOf(`'${folder}'`, [values.length, ...shape], whole)]]),
    ...(isLabelled && {
      labels: new Map([['', { shape: [chosen.length], values: Float32Array.from(chosen, ({ label }) => label) }]]),
    }),
  };
}

function channelsOfInput(input: readonly (number | null)[]): number {
  if (input.length < 4) {
    return 1;
  }
  const channels = input.at(-1) ?? 3;
  if (![1, 3, 4].includes(channels)) {
    throw new Error(
      [1, 3, 4].includes(input[1]!)
        ? `the model takes channels first, [${input.slice(1).join(', ')}]: save the images as .npy in this order.`
        : `images have 1, 3 or 4 channels, but the model takes ${channels}.`,
    );
  }
  return channels;
}

/** Links are followed, and names that begin with a dot are left out, as Keras does. */
function entriesOf(folder: string): { readonly path: string; readonly isFolder: boolean }[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .sort()
    .map((name) => join(folder, name))
    .map((path) => ({ path, isFolder: statSync(path, { throwIfNoEntry: false })?.isDirectory() === true }));
}

/** All files of a folder that are looked at, those of folders in it too. */
export const filesIn = (folder: string): string[] => filesOf(foldersIn(folder));

/** A folder and all in it, in the order of their paths. */
function foldersIn(folder: string, outer: readonly string[] = []): string[] {
  const real = realpathSync(folder);
  if (outer.includes(real)) {
    throw new Error(`'${folder}' is a link to a folder that it lies in.`);
  }
  const inner = entriesOf(folder).flatMap(({ path, isFolder }) => (isFolder ? foldersIn(path, [...outer, real]) : []));
  return [folder, ...inner].sort();
}

const filesOf = (folders: readonly string[]): string[] =>
  folders.flatMap((folder) => entriesOf(folder).flatMap(({ path, isFolder }) => (isFolder ? [] : [path])));

function imagesIn(folders: readonly string[]): string[] {
  const files = filesOf(folders);
  const other = files.find((path) => /\.(bmp|gif|webp|tiff?)$/i.test(path));
  if (other !== undefined) {
    throw new Error(
      `'${other}' is neither PNG nor JPEG, which are the images that are read: convert it, or take it away.`,
    );
  }
  return files.filter((path) => /\.(png|jpe?g)$/i.test(path));
}

async function decode(path: string, onRead?: (path: string, bytes: Uint8Array) => void): Promise<Picture> {
  // Every image gives the event loop a turn: a signal to stop is heard.
  const bytes = await readFile(path);
  onRead?.(path, bytes);
  const isPng = bytes[0] === 0x89;
  const png = isPng ? await optionalPackage<Pngjs>('pngjs', 'a PNG image') : undefined;
  const jpeg = isPng ? undefined : await optionalPackage<JpegJs>('jpeg-js', 'a JPEG image');
  try {
    return png ? png.PNG.sync.read(bytes) : jpeg!.decode(bytes, { useTArray: true, maxMemoryUsageInMB: 512 });
  } catch (error) {
    throw new Error(`'${path}' is not an image that can be read: ${lineOf(error)}.`, { cause: error });
  }
}

function channelsOf({ data, width, height }: Picture, channels: number): Float32Array {
  const values = new Float32Array(width * height * channels);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const [red, green, blue] = [data[4 * pixel]!, data[4 * pixel + 1]!, data[4 * pixel + 2]!];
    if (channels === 1) {
      // Rec. 601, as Pillow and TensorFlow make grey of colours; grey itself stays what it is.
      values[pixel] = red === green && green === blue ? red : Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
    } else {
      for (let channel = 0; channel < channels; channel++) {
        values[channels * pixel + channel] = data[4 * pixel + channel]!;
      }
    }
  }
  return values;
}
