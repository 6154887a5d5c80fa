import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { checkKnownOptions, checkNumber, checkOneOf, checkWhole } from '../checks.js';
import { measureToCompare, type SharpnessInputs } from '../measure/measure-sharpness.js';
import type { MeasureOptions, MeasureProgress } from '../measure/options.js';
import { printable, type SharpnessReading } from '../measure/reading.js';
import { inputNames, outputNames } from '../tfjs/model-graph.js';
import type { DrawnValues } from '../traces/sampling/paired.js';
import { backendStart, type FileBackend, fileBackends } from './backend.js';
import { dependsOnShape, isModule, readDataFile, readDataModule } from './data-file.js';
import { type DataShare, rowsOfShare, sampleRows, tensorRows } from './data-share.js';
import { problemOf } from './failure.js';
import { loadModules } from './layer-modules.js';
import { buildModel, disposeModel, type ReadModel, readModelFile } from './model-file.js';
import { modelInputs, randomInputs } from './model-inputs.js';
import { modelLabels, withoutLabels } from './model-labels.js';
import { type ModelLoss, modelLoss } from './model-loss.js';
import { locate } from './place.js';
import { checkPredictions } from './predictions.js';
import { type FileData, firstSamples, onlyArray, onlyLabels, onlyPredictions, type Samples } from './samples.js';

/** A reading with the file that it is of. */
export interface FileReading extends SharpnessReading {
  /** Path or URL, as it was given. */
  readonly model: string;
}

/** A model that could not be measured. */
export interface FileProblem {
  readonly model: string;
  /** What was wrong and how to mend it, in one line. */
  readonly problem: string;
  /** What is to blame: the model or what was given with it, or something else, such as a package that is not installed. */
  readonly kind: 'input' | 'failure';
}

export interface MeasureFilesOptions
  extends Pick<
    MeasureOptions,
    'method' | 'seed' | 'part' | 'memoryMB' | 'loss' | 'lossWeights' | 'countFrozen' | 'signal' | 'onProgress'
  > {
  /**
   * Samples: a file (.npy, .npz, .csv, .json, IDX, .bin of float32), a folder of PNG and JPEG images with a folder for each class, or a
   * module of JavaScript that exports data; of several inputs, one each by name.
   */
  readonly data?: string | { readonly [input: string]: string };
  /** So many random samples in the place of `data`, by `seed`. */
  readonly random?: number;
  /** How many samples at most, the first of the file. */
  readonly limit?: number;
  /** What the numbers of `data` are multiplied by, for example 1 / 255. Default 1. */
  readonly scale?: number;
  /**
   * A file of labels, of several outputs one each by name: rows as the loss takes them, or numbers of classes. Default: those that
   * `data` has, a column y or label of .csv, an array y or labels or of an output's name of .npz and .json, the classes of images.
   */
  readonly labels?: string | { readonly [output: string]: string };
  /** A file of predictions of `output`, else of the first output, as Keras has made them: where tf.js predicts otherwise, it is refused. */
  readonly expect?: string;
  /** The one output to measure, by name. Default all. */
  readonly output?: string;
  /** Draws the weights, by `seed`, as those of a new model, and reads none. */
  readonly randomWeights?: boolean;
  /** Modules to load before, which register layers with `tf.serialization.registerClass`. */
  readonly require?: readonly string[];
  /** Default: the one that is running; where none is, the native one where it is built, else wasm. */
  readonly backend?: FileBackend;
  /** What tf.js computes otherwise than Keras, and the loss where it was guessed, one sentence at a time. */
  readonly onNote?: (model: string, note: string) => void;
}

const optionNames = {
  method: true,
  seed: true,
  part: true,
  memoryMB: true,
  loss: true,
  lossWeights: true,
  countFrozen: true,
  signal: true,
  onProgress: true,
  data: true,
  random: true,
  limit: true,
  scale: true,
  labels: true,
  expect: true,
  output: true,
  randomWeights: true,
  require: true,
  backend: true,
  onNote: true,
} satisfies Record<keyof MeasureFilesOptions, true>;

/**
 * Measures saved models, one after the other, as `measureSharpness` does:
 *
 * ```ts
 * for await (const result of measureFiles(['epoch1/model.json', 'epoch2/model.json'], { data: 'x.npy' })) {
 *   console.log(result.model, 'problem' in result ? result.problem : result.minimumSharpness);
 * }
 * ```
 *
 * Models are `model.json` files of tf.js layers, folders with one, URLs, `.keras` archives and `.h5` files of Keras. The loss is
 * `loss`, or what the file says that its model was trained by, or what belongs to its last activation: softmax and categorical cross-entropy, sigmoid and binary
 * cross-entropy.
 *
 * @param models paths or URLs.
 * @returns a reading of each, with `model`; or `{ model, problem, kind }`, what was wrong with it in one line, and then the next.
 * @throws Error with one line for options that there are not, a backend that does not start, or the reason of `signal`.
 */
export async function* measureFiles(
  models: string | readonly string[],
  options: MeasureFilesOptions = {},
): AsyncGenerator<FileReading | FileProblem> {
  const { measure } = await fileMeasurer(options);
  for (const model of [models].flat() as string[]) {
    yield await measure(model);
  }
}

/** Measures one model after the other. */
export interface FileMeasurer {
  /** @param onRead is called when the files of the model have been read, and may throw. */
  measure(model: string, onRead?: () => void): Promise<FileReading | FileProblem>;
  /**
   * Reads the data, as far as they can be read without a model.
   *
   * @throws Error with one line for files that are not there, or wrong.
   */
  readData(): Promise<void>;
}

/**
 * What measures models by the same options: it keeps the data from one to the next.
 *
 * @param onDrawn is given what the error of a reading is made of, where that can be paired with another model's.
 * @throws Error with one line as `measureFiles` does.
 */
export async function fileMeasurer(
  options: MeasureFilesOptions,
  onDrawn: (model: string, drawn: DrawnValues) => void = () => {},
): Promise<FileMeasurer> {
  checkMeasureFilesOptions(options);
  const start = backendStart(options.backend);
  await loadModules(options.require ?? [], start);
  const read = dataReader(options.limit ?? Number.POSITIVE_INFINITY);
  const measure: FileMeasurer['measure'] = async (model, onRead) => {
    const problemOfModel = (error: unknown): FileProblem => {
      if (options.signal?.aborted) {
        throw error;
      }
      return { model, ...problemOf(error) };
    };
    let content: ReadModel;
    try {
      content = await readModelFile(model, options.randomWeights ? { randomWeights: options.seed ?? 0 } : {});
      onRead?.();
      await readAhead(options, read);
    } catch (error) {
      return problemOfModel(error);
    }
    // A wrong file is told without what TensorFlow says at its start.
    await start();
    try {
      const { reading, drawn } = await measureFile(model, content, options, read);
      if (drawn) {
        onDrawn(model, drawn);
      }
      return reading;
    } catch (error) {
      return problemOfModel(error);
    }
  };
  return { measure, readData: () => readAhead(options, read) };
}

/** Data files are read once for all models, those whose numbers mean nothing without a shape once for each shape. */
export type ReadData = (path: string, input: tfl.Shape) => Promise<FileData>;

export function dataReader(limit: number): ReadData {
  const known = new Map<string, Promise<FileData>>();
  return (path, input) => {
    const key = JSON.stringify(dependsOnShape(path) ? [path, input] : [path]);
    const found = known.get(key) ?? readDataFile(path, input, limit);
    known.set(key, found);
    return found;
  };
}

/** Looks at the data without a model. */
async function readAhead({ data, labels, expect }: MeasureFilesOptions, read: ReadData): Promise<void> {
  for (const path of [data, labels, expect].flatMap((each) =>
    typeof each === 'object' ? Object.values(each) : each === undefined ? [] : [each],
  )) {
    if (isModule(path) || dependsOnShape(path)) {
      locate(path, 'a folder of images');
    } else {
      await read(path, []);
    }
  }
}

async function measureFile(
  path: string,
  content: ReadModel,
  options: MeasureFilesOptions,
  read: ReadData,
): Promise<{ reading: FileReading; drawn?: DrawnValues | undefined }> {
  return withModel(content, options, async (model, { loss, lossWeights, notes }) => {
    // Once nothing can be wrong any more with what is given.
    let told = 0;
    const tell = () => {
      for (const line of notes.slice(told)) {
        told = notes.length;
        options.onNote?.(path, line);
      }
    };
    const onProgress = (progress: MeasureProgress) => {
      tell();
      options.onProgress?.(progress);
    };
    const { reading, drawn } = await withData(model, loss, options, read, (inputs, labels) => {
      const { method, part, memoryMB, countFrozen, signal, seed = 0 } = options;
      return measureToCompare(model, inputs, {
        loss,
        ...defined({ lossWeights, method, part, memoryMB, countFrozen, signal, onProgress, labels }),
        seed,
      });
    });
    tell();
    return {
      reading: printable({ model: path, ...reading, assumptions: [...reading.assumptions, ...notes] }),
      drawn,
    };
  });
}

/** What of a model is measured, and what is to be said of it. */
export interface MeasuredLoss extends ModelLoss {
  readonly notes: readonly string[];
}

/** Makes a model for as long as `use` takes. */
export async function withModel<Result>(
  content: ReadModel,
  { output, loss: given, lossWeights: weights }: Pick<MeasureFilesOptions, 'output' | 'loss' | 'lossWeights'>,
  use: (model: tfl.LayersModel, loss: MeasuredLoss) => Promise<Result>,
): Promise<Result> {
  const { model, training, notes: ofFile } = await buildModel(content);
  try {
    const notes = [...ofFile];
    const { loss, lossWeights } = modelLoss(model, given, training, output, (line) => notes.push(line));
    return await use(model, { loss, lossWeights: output === undefined ? (weights ?? lossWeights) : undefined, notes });
  } finally {
    disposeModel(model);
  }
}

/**
 * Brings the data into the form of a model's inputs for as long as `use` takes.
 *
 * @param share only so many parts of the data, of equal size but for one sample.
 */
export async function withData<Result>(
  model: tfl.LayersModel,
  loss: ModelLoss['loss'],
  options: MeasureFilesOptions,
  read: ReadData,
  use: (inputs: SharpnessInputs, labels: tf.NamedTensorMap | undefined) => Promise<Result>,
  share?: DataShare,
): Promise<Result> {
  const { output, limit = Number.POSITIVE_INFINITY } = options;
  const disposable: tf.TensorContainer[] = [];
  const kept = <T extends tf.TensorContainer>(tensors: T): T => {
    disposable.push(tensors);
    return tensors;
  };
  try {
    const { inputs, labels, isOwn } = await inputsOf(model, options, read);
    if (isOwn) {
      kept(inputs as tf.TensorContainer);
    }
    const rows = share && rowsOfShare(share, samplesOfTensors(inputs));
    const ownInputs = rows
      ? (inputs as tf.Tensor[]).map((each, i) => kept(tensorRows(`the input '${inputNames(model)[i]}'`, each, rows)))
      : inputs;
    if (options.expect !== undefined) {
      const place = output === undefined ? 0 : outputNames(model).indexOf(output);
      const found = onlyPredictions(options.expect, await read(options.expect, model.outputs[place]!.shape));
      const all = firstSamples(found, limit);
      const expected = rows ? sampleRows(`'${options.expect}'`, all, rows) : all;
      await checkPredictions(model, ownInputs, place, expected, options.expect);
    }
    const given = options.labels === undefined ? labels : await labelsOf(model, options.labels, read);
    const tensors = given && kept(modelLabels(model, given, loss, limit) as tf.NamedTensorMap);
    const ownLabels =
      rows && tensors
        ? Object.fromEntries(
            Object.entries(tensors).map(([name, each]) => [name, kept(tensorRows(`labels of '${name}'`, each, rows))]),
          )
        : tensors;
    return await use(ownInputs, ownLabels);
  } finally {
    tf.dispose(disposable);
  }
}

/** How many samples there are; only files of numbers have parts. */
function samplesOfTensors(inputs: SharpnessInputs): number {
  if (!Array.isArray(inputs)) {
    throw new Error('only data in files of numbers are measured in parts: save what the module exports as .npy.');
  }
  return (inputs as tf.Tensor[])[0]!.shape[0]!;
}

/** The options that are given. */
export function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}

interface FileInputs {
  readonly inputs: SharpnessInputs;
  readonly labels?: ReadonlyMap<string, Samples>;
  /** Whether the inputs were made for this model, and go away with it. */
  readonly isOwn: boolean;
}

async function inputsOf(
  model: tfl.LayersModel,
  { data, random, limit = Number.POSITIVE_INFINITY, scale, seed = 0 }: MeasureFilesOptions,
  read: ReadData,
): Promise<FileInputs> {
  if (random !== undefined) {
    return { inputs: randomInputs(model, Math.min(random, limit), seed), isOwn: true };
  }
  if (typeof data === 'string' && isModule(data)) {
    if (limit !== Number.POSITIVE_INFINITY || scale !== undefined) {
      throw new Error('limit and scale are for files of numbers: let the module export what is to be measured.');
    }
    const { data: inputs, isOwn } = await readDataModule(data);
    return { inputs: inputs as SharpnessInputs, isOwn };
  }
  const names = inputNames(model);
  const files = typeof data === 'string' ? { '': data } : data!;
  const arrays = new Map<string, Samples>();
  const labels = new Map<string, Samples>();
  for (const [name, path] of Object.entries(files)) {
    if (name !== '' && !names.includes(name)) {
      throw new Error(`the model has no input '${name}', only ${names.join(', ')}.`);
    }
    const found = withoutLabels(model, await read(path, model.inputs[Math.max(0, names.indexOf(name))]!.shape));
    for (const [key, array] of name === '' ? found.arrays : [[name, onlyArray(path, found)] as const]) {
      arrays.set(key, array);
    }
    for (const [key, array] of found.labels) {
      labels.set(key, array);
    }
  }
  return {
    inputs: modelInputs(model, arrays, limit, scale),
    ...(labels.size > 0 && { labels }),
    isOwn: true,
  };
}

/** By name of an output, '' for the only one. */
async function labelsOf(
  model: tfl.LayersModel,
  given: string | { readonly [output: string]: string },
  read: ReadData,
): Promise<ReadonlyMap<string, Samples>> {
  const files = typeof given === 'string' ? { '': given } : given;
  const labels = new Map<string, Samples>();
  for (const [name, path] of Object.entries(files)) {
    const found = await read(path, model.outputs[Math.max(0, outputNames(model).indexOf(name))]!.shape);
    labels.set(name, onlyLabels(path, found));
  }
  return labels;
}

/** @throws Error with one line for options that there are not, or that do not go together. */
export function checkMeasureFilesOptions(options: MeasureFilesOptions): void {
  checkKnownOptions('measureFiles', options, optionNames);
  const { data, random, limit, scale, seed, backend } = options;
  if ((data === undefined) === (random === undefined)) {
    throw new Error('measureFiles: pass either data, a file of samples, or random, how many to draw.');
  }
  if (random !== undefined) {
    checkWhole('random', random, { atLeast: 1 }, 'pass a number of samples, for example 100');
  }
  if (random !== undefined && scale !== undefined) {
    throw new Error('measureFiles: scale is for data, and random samples are drawn as they are: leave scale out.');
  }
  if (options.output !== undefined && options.lossWeights !== undefined) {
    throw new Error('measureFiles: lossWeights weigh several outputs, and output names one: leave either out.');
  }
  if (limit !== undefined) {
    checkWhole('limit', limit, { atLeast: 1 }, 'pass a number of samples, for example 1000');
  }
  if (scale !== undefined) {
    checkNumber('scale', scale, {}, 'pass a factor, for example 1 / 255');
    if (scale === 0) {
      throw new Error('measureFiles: a scale of 0 leaves nothing of the data: pass a factor, for example 1 / 255.');
    }
  }
  if (seed !== undefined) {
    checkWhole('seed', seed);
  }
  if (backend !== undefined) {
    checkOneOf('backend', backend, fileBackends);
  }
}
