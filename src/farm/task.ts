import type { FileBackend } from '../files/backend.js';
import { startBackend } from '../files/backend.js';
import { dependsOnShape, fileOf, readDataFile } from '../files/data-file.js';
import { Failure, problemOf } from '../files/failure.js';
import { loadModules } from '../files/layer-modules.js';
import { defined, type ReadData, withData, withModel } from '../files/measure-files.js';
import type { ReadModel } from '../files/model-file.js';
import { isFolder } from '../files/place.js';
import type { FileData } from '../files/samples.js';
import { canonicalJson } from '../measure/fingerprint.js';
import type { MeasureOptions, MeasureProgress } from '../measure/options.js';
import type { SharpnessReading } from '../measure/reading.js';
import type { SharpnessSample } from '../measure/sample-form.js';
import { mergeSharpnessSamples, sampleSharpness } from '../measure/sharpness-sample.js';
import { lineOf } from '../warnings.js';
import { hashOfData, hashWhileRead } from './content.js';
import { type Checkpoint, methodOfShare, readHashedModel, seedOf } from './plan.js';
import { VERSION } from './version.js';

/** What was found in one part of the data: plain data. */
export interface MeasuredShare {
  readonly sample: SharpnessSample;
  /** What is to be said of the model. */
  readonly notes: readonly string[];
  readonly durationMs: number;
}

/** A reading of a checkpoint: plain data. */
export interface MergedReading {
  readonly reading: SharpnessReading;
  readonly notes: readonly string[];
}

/** One step of a plan, which any process can take: to measure a part, or to put the parts together. */
export type Task = { readonly checkpoint: Checkpoint } & (
  | { readonly index: number }
  | { readonly shares: readonly MeasuredShare[] }
);

/** What came of it. */
export type Outcome<Value = MeasuredShare | MergedReading> =
  | { readonly value: Value }
  | {
      readonly problem: string;
      readonly kind: 'input' | 'failure';
      /** Whether it took longer than it may, and would again. */
      readonly isEndless?: true;
    };

/**
 * Takes a step of a plan. It never throws: what goes wrong is an outcome.
 *
 * What the plan was made for is what is measured: another version of this package, or a file with other bytes than the plan's, is a failure
 * of this machine, which another one may not have.
 */
export async function runTask(task: Task, onProgress?: (progress: MeasureProgress) => void): Promise<Outcome> {
  try {
    return {
      value:
        'shares' in task
          ? await mergeShares(task.checkpoint, task.shares)
          : await measureShare(task.checkpoint, task.index, onProgress),
    };
  } catch (error) {
    return problemOf(error);
  }
}

/**
 * Measures one part of the data.
 *
 * @param index of the part, from 0.
 * @throws Error with one line as `measureFiles` does, and where this process is not what the plan was made for.
 */
export async function measureShare(
  checkpoint: Checkpoint,
  index: number,
  onProgress?: (progress: MeasureProgress) => void,
): Promise<MeasuredShare> {
  const start = performance.now();
  const content = await begin(checkpoint);
  const { options, shards } = checkpoint;
  const { part, memoryMB, countFrozen } = options;
  return withModel(content, measured(checkpoint), (model, { loss, lossWeights, notes }) =>
    withData(
      model,
      loss,
      measured(checkpoint),
      sameData(checkpoint),
      async (inputs, labels) => {
        const sample = await sampleSharpness(model, inputs, {
          ...defined({ loss, lossWeights, labels, part, memoryMB, countFrozen, onProgress }),
          ...defined({ method: methodOfShare(checkpoint) }),
          seed: seedOf(checkpoint, index),
        });
        return { sample, notes, durationMs: performance.now() - start };
      },
      { index, of: shards },
    ),
  );
}

/**
 * Puts the parts of a checkpoint together, in an order of their own: the same parts give the same digits, whoever measured them and
 * whichever came first.
 *
 * @throws Error with one line as `mergeSharpnessSamples` does, and where this process is not what the plan was made for.
 */
export async function mergeShares(checkpoint: Checkpoint, shares: readonly MeasuredShare[]): Promise<MergedReading> {
  const content = await begin(checkpoint);
  const { countFrozen } = checkpoint.options;
  return withModel(content, measured(checkpoint), async (model, { loss, lossWeights, notes }) => {
    const samples = shares.map(({ sample }) => sample);
    const reading = mergeSharpnessSamples(model, samples, defined({ loss, lossWeights, countFrozen }));
    const durationMs = shares.reduce((sum, share) => sum + share.durationMs, reading.durationMs);
    return { reading: { ...reading, durationMs, assumptions: [...reading.assumptions, ...notes] }, notes };
  });
}

const measured = ({ options }: Checkpoint) => ({ ...options, loss: options.loss as MeasureOptions['loss'] });

let started: FileBackend | 'default' | undefined;

/** Reads the model, and starts what it needs. */
async function begin({ version, model, hash, files, options }: Checkpoint): Promise<ReadModel> {
  if (version !== VERSION) {
    throw new Failure(`planned by tfjs-sharpness ${version}, which ${VERSION} refuses: install the same everywhere.`);
  }
  for (const path of options.require ?? []) {
    if (files[path] !== undefined) {
      checkSame(path, await seen(path, hashOfData(path)), files[path]!);
    }
  }
  const read = await seen(model, readHashedModel(model, options));
  checkSame(model, read.hash, hash);
  const wanted = options.backend ?? 'default';
  if (started !== wanted) {
    await startBackend(options.backend);
    started = wanted;
  }
  await loadModules(options.require ?? [], async () => {});
  return read.content;
}

/** Who planned has read the file: where it cannot be read, this machine is to blame. */
async function seen<T>(path: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw new Failure(`'${path}' cannot be read as it could where it was planned: ${lineOf(error)}`, { cause: error });
  }
}

function checkSame(path: string, hash: string, planned: string): void {
  if (hash !== planned) {
    throw new Failure(
      `'${path}' has other bytes than it had when this was planned, and is refused: it has changed since, or this machine sees another file.`,
    );
  }
}

/** Data of the plan before stay in memory where the next one needs them. */
const data = new Map<string, Promise<FileData>>();

function sameData({ files, options }: Checkpoint): ReadData {
  const { limit = Number.POSITIVE_INFINITY } = options;
  const keyOf = (path: string, shape: unknown) =>
    canonicalJson([path, files[fileOf(path).file], limit, dependsOnShape(path) && shape]);
  const needed = new Set(Object.values(files));
  for (const key of data.keys()) {
    if (!needed.has((JSON.parse(key) as string[])[1]!)) {
      data.delete(key);
    }
  }
  return (path, shape) => {
    const key = keyOf(path, shape);
    const found = data.get(key) ?? readSame(path, shape, limit, files[fileOf(path).file]!);
    data.set(key, found);
    // What failed is tried again.
    found.catch(() => data.delete(key));
    return found;
  };
}

async function readSame(
  path: string,
  shape: readonly (number | null)[],
  limit: number,
  planned: string,
): Promise<FileData> {
  if (isFolder(path)) {
    return readSameFolder(path, shape, limit, planned);
  }
  let isRead = false;
  const onBytes = hashWhileRead((hash) => {
    isRead = true;
    checkSame(path, hash, planned);
  });
  try {
    return await readDataFile(path, shape, limit, onBytes);
  } catch (error) {
    return isRead ? Promise.reject(error) : seen(path, Promise.reject(error));
  }
}

/** Images are read once, those that are measured not again for their hash. */
async function readSameFolder(
  path: string,
  shape: readonly (number | null)[],
  limit: number,
  planned: string,
): Promise<FileData> {
  const hashes = new Map<string, string>();
  const onBytes = (bytes: Uint8Array, size: number, image = '') => {
    hashWhileRead((hash) => hashes.set(image, hash))(bytes, size);
  };
  const check = async () => checkSame(path, await seen(path, hashOfData(path, hashes)), planned);
  try {
    const read = await readDataFile(path, shape, limit, onBytes);
    await check();
    return read;
  } catch (error) {
    // Another folder may be what is wrong.
    await check();
    throw error;
  }
}
