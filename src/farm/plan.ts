import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { checkWhole } from '../checks.js';
import { fileOf, isModule } from '../files/data-file.js';
import { checkMeasureFilesOptions, type MeasureFilesOptions } from '../files/measure-files.js';
import { type LoadOptions, type ReadModel, readModelFile } from '../files/model-file.js';
import { canonicalJson } from '../measure/fingerprint.js';
import { isHutchinson } from '../measure/options.js';
import { absolutePath, contentHash, hashOfData } from './content.js';
import { VERSION } from './version.js';

type PlainOptions = Pick<
  MeasureFilesOptions,
  | 'method'
  | 'seed'
  | 'part'
  | 'memoryMB'
  | 'countFrozen'
  | 'data'
  | 'random'
  | 'limit'
  | 'scale'
  | 'labels'
  | 'expect'
  | 'output'
  | 'randomWeights'
  | 'require'
  | 'backend'
>;

/** How files are measured, as far as JSON can say it. */
export interface PlanOptions extends PlainOptions {
  /** The name of a loss. */
  readonly loss?: string;
}

/** One checkpoint with all that it takes to measure it elsewhere: plain data. */
export interface Checkpoint {
  readonly version: string;
  /** An absolute path or a URL, as are those in `options`. */
  readonly model: string;
  /** SHA-256 of the bytes that its loading reads. */
  readonly hash: string;
  /** SHA-256 of every other file, by its path. */
  readonly files: { readonly [path: string]: string };
  readonly options: PlanOptions;
  /** In how many parts the data are measured. */
  readonly shards: number;
}

/** A checkpoint in a plan. */
export interface PlannedCheckpoint {
  /** By what the reading depends on: the content of all files, the options, the number of parts and the version of this package. */
  readonly id: string;
  readonly checkpoint: Checkpoint;
}

/** How many parts a plan may have: a reading is put together from all of them at once. */
const MOST_SHARDS = 10_000;

/** Plans the measuring of models on the same data. */
export type Plan = (model: string) => Promise<PlannedCheckpoint>;

/**
 * Looks at the options, and at the data files.
 *
 * @returns what plans one model after the other.
 * @throws Error with one line for options that do not go together or with measuring in parts, or a file that is not there.
 * @throws RangeError with one line for numbers out of range.
 */
export async function planFor(given: PlanOptions, shards: number): Promise<Plan> {
  checkMeasureFilesOptions(given as MeasureFilesOptions);
  checkWhole('--shards', shards, { atLeast: 1, atMost: MOST_SHARDS }, 'a number of parts, for example --shards 5');
  if (given.method !== undefined && isHutchinson(given.method)) {
    throw new Error(
      '--method hutchinson goes without --workers, --shards and --queue: readings by it cannot be put together from parts, as those by ' +
        '--method exact, --method pairs=256 and --tolerance can.',
    );
  }
  const hashes = new Map<string, string>();
  const kept = async (path: string) => {
    const absolute = absolutePath(path);
    const { file } = fileOf(absolute);
    if (isModule(file)) {
      throw new Error(`'${path}' is a module, whose data no other process knows to be the same: save them as .npy.`);
    }
    hashes.set(file, hashes.get(file) ?? (await hashOfData(file)));
    return absolute;
  };
  const options: PlanOptions = {
    ...given,
    data: await eachPath(given.data, kept),
    labels: await eachPath(given.labels, kept),
    expect: (await eachPath(given.expect, kept)) as string | undefined,
    require: given.require && (await Promise.all(given.require.map((path) => moduleOf(path, hashes)))),
  };
  const content = (path: string) => {
    const { file, array } = fileOf(path);
    // The ending says how the bytes are read.
    return hashes.has(file) ? `${hashes.get(file)} ${extname(file).toLowerCase()}${array}` : path;
  };
  const contents = {
    ...options,
    data: await eachPath(options.data, content),
    labels: await eachPath(options.labels, content),
    expect: await eachPath(options.expect, content),
    require: options.require?.map(content),
  };
  const files = Object.fromEntries(hashes);
  return async (path) => {
    const model = absolutePath(path);
    const { hash } = await readHashedModel(model, options);
    const identity = canonicalJson({ version: VERSION, hash, contents, shards });
    const id = createHash('sha256').update(identity).digest('hex').slice(0, 32);
    return { id, checkpoint: { version: VERSION, model, hash, files, options, shards } };
  };
}

/** The seed of a part: no two parts of a plan have the same, nor those of plans by different seeds. */
export function seedOf({ options, shards }: Checkpoint, index: number): number {
  return (options.seed ?? 0) * shards + index;
}

/**
 * A method for a part of the data. So many pairs are shared out; a tolerance holds in each part, and in the whole all the more.
 */
export function methodOfShare({ options: { method }, shards }: Checkpoint): PlanOptions['method'] {
  return typeof method === 'object' && method.pairs !== undefined
    ? { pairs: Math.ceil(method.pairs / shards) }
    : method;
}

/** Reads a model with the hash of the bytes that were read. */
export async function readHashedModel(
  path: string,
  { randomWeights, seed }: Pick<PlanOptions, 'randomWeights' | 'seed'>,
): Promise<{ readonly content: ReadModel; readonly hash: string }> {
  const hash = contentHash();
  let isFirst = true;
  const options: LoadOptions = {
    ...(randomWeights && { randomWeights: seed ?? 0 }),
    onRead: (name, bytes) => {
      // The name of the first file is the user's.
      hash.add(isFirst ? '' : name, bytes);
      isFirst = false;
    },
  };
  const content = await readModelFile(path, options);
  return { content, hash: hash.digest() };
}

async function eachPath<Paths extends PlanOptions['data']>(
  paths: Paths,
  of: (path: string) => string | Promise<string>,
): Promise<Paths> {
  if (typeof paths !== 'object') {
    return (paths === undefined ? undefined : await of(paths)) as Paths;
  }
  const found: { [name: string]: string } = {};
  for (const [name, path] of Object.entries(paths)) {
    found[name] = await of(path);
  }
  return found as Paths;
}

/** A file is known by its content; a package by its name. */
async function moduleOf(path: string, hashes: Map<string, string>): Promise<string> {
  if (!existsSync(path)) {
    return path;
  }
  const absolute = absolutePath(path);
  hashes.set(absolute, await hashOfData(absolute));
  return absolute;
}
