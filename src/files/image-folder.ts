import { readdirSync, readFileSync } from 'node:fs';
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
 * `image_dataset_from_directory` has them: values from 0 to 255, labels as numbers of classes.
 *
 * @param channels 1 for grey, 3 for colours, 4 with opacity.
 * @param limit how many at most, from all classes in turn.
 * @throws Error with one line for images of different sizes, damaged ones, and a folder without any.
 */
export async function readImageFolder(folder: string, channels: number, limit: number): Promise<FileData> {
  const names = (path: string, folders: boolean) =>
    readdirSync(path, { withFileTypes: true })
      .filter((entry) => (folders ? entry.isDirectory() : /\.(png|jpe?g)$/i.test(entry.name)))
      .map((entry) => entry.name)
      .sort();
  const classes = names(folder, true);
  const perClass = classes.map((name) => names(join(folder, name), false).map((file) => join(folder, name, file)));
  const loose = names(folder, false).map((file) => ({ path: join(folder, file), label: 0 }));
  const longest = Math.max(0, ...perClass.map((files) => files.length));
  const inTurn = Array.from({ length: longest }, (_, i) =>
    perClass.flatMap((files, label) => (files[i] === undefined ? [] : [{ path: files[i], label }])),
  ).flat();
  const isLabelled = inTurn.length > 0;
  const chosen = (isLabelled ? inTurn : loose).slice(0, limit);
  if (chosen.length === 0) {
    throw new Error(`'${folder}' has no PNG or JPEG images, neither in it nor in a folder for each class.`);
  }
  if (![1, 3, 4].includes(channels)) {
    throw new Error(`images have 1, 3 or 4 channels, but the model takes ${channels}.`);
  }
  let size: string | undefined;
  let shape: number[] = [];
  const values: Float32Array[] = [];
  for (const { path } of chosen) {
    const picture = await decode(path);
    const own = `${picture.width} x ${picture.height}`;
    size ??= own;
    if (own !== size) {
      throw new Error(`'${path}' is ${own}, but others are ${size}: resize them to the size that the model takes.`);
    }
    shape = [picture.height, picture.width, channels];
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

async function decode(path: string): Promise<Picture> {
  const bytes = readFileSync(path);
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
