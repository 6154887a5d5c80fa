/** Numbers of a file: samples come first. */
export interface Samples {
  /** [N, ...]. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Whether columns and arrays of a name are labels, where no input or output is so called. */
export const isLabelName = (name: string) =>
  ['y', 'ys', 'label', 'labels', 'target', 'targets', 'class', 'classes'].includes(name.toLowerCase());

/** What a data file holds. */
export interface FileData {
  /** By name, or '' for a single array without one. */
  readonly arrays: ReadonlyMap<string, Samples>;
  /** Labels that lie in the same file: by name of the outputs, or '' for those of the only one. */
  readonly labels?: ReadonlyMap<string, Samples>;
}

/**
 * A number of a file as float32.
 *
 * @param name what to call the numbers in messages.
 * @param isWhole whether it is of a kind of whole numbers, ids or the like, of which another would be wrong.
 * @throws Error with one line for one beyond float32, and for a whole one that would be rounded.
 */
export function float32Of(name: string, value: number, isWhole = false): number {
  const rounded = Math.fround(value);
  if (isWhole && rounded !== value) {
    throw new Error(
      `${name} has whole numbers beyond 2^24, ${value} for one, which float32 would round: divide all by a power of ten first, or number ` +
        'them anew where they name something.',
    );
  }
  if (Math.abs(rounded) === Number.POSITIVE_INFINITY && Number.isFinite(value)) {
    throw new Error(`${name} has ${value}, which is too large for float32: divide all by a power of ten first.`);
  }
  return rounded;
}

/**
 * @param name what to call the numbers in messages.
 * @throws Error with one line for too many or few numbers for the shape.
 */
export function samplesOf(name: string, shape: readonly number[], values: Float32Array): Samples {
  const size = shape.reduce((product, each) => product * each, 1);
  if (size !== values.length) {
    throw new Error(
      `${name} has ${values.length} numbers, but its shape [${shape.join(', ')}] means ${size}: it is cut off or damaged.`,
    );
  }
  if (shape.length === 0) {
    throw new Error(`${name} is a single number: samples come first, [N, ...].`);
  }
  return { shape, values };
}

/** The first of the samples. */
export function firstSamples({ shape, values }: Samples, limit: number): Samples {
  const [count, ...rest] = shape as [number, ...number[]];
  if (limit >= count) {
    return { shape, values };
  }
  const size = rest.reduce((product, each) => product * each, 1);
  return { shape: [limit, ...rest], values: values.subarray(0, limit * size) };
}

/** For messages. */
export function namesOf(arrays: ReadonlyMap<string, Samples>): string {
  return [...arrays.keys()].map((each) => (each === '' ? 'one without a name' : each)).join(', ') || 'none';
}

/**
 * The array of a file that holds one; labels beside it are left out.
 *
 * @throws Error with one line for several: one of them has to be named.
 */
export function onlyArray(path: string, { arrays, labels }: FileData): Samples {
  // Of a table with no other columns.
  const all = arrays.size > 0 ? arrays : (labels ?? arrays);
  if (all.size !== 1) {
    throw new Error(
      `'${path}' has several arrays, ${namesOf(all)}: name one behind a #, ${path}#${[...all.keys()][0]}.`,
    );
  }
  return [...all.values()][0]!;
}

/**
 * The labels of a file: those that it tells from other columns or arrays, else its only array.
 *
 * @throws Error with one line for several.
 */
export function onlyLabels(path: string, { arrays, labels = new Map() }: FileData): Samples {
  return onlyArray(path, { arrays: labels.size > 0 ? labels : arrays });
}

/**
 * The predictions of a file, which stand alone in it.
 *
 * @throws Error with one line for several arrays, and for labels beside other numbers: either may be meant.
 */
export function onlyPredictions(path: string, data: FileData): Samples {
  if (data.arrays.size > 0 && (data.labels?.size ?? 0) > 0) {
    throw new Error(`'${path}' has labels beside other numbers: leave in it only what the model predicts.`);
  }
  return onlyArray(path, data);
}
