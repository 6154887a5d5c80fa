import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { checkKnownOptions, checkNumber, checkOneOf, checkWhole } from '../checks.js';
import { type Losses, lastActivations } from '../measure/loss.js';
import { measureSharpness, type SharpnessInputs } from '../measure/measure-sharpness.js';
import type { MeasureOptions } from '../measure/options.js';
import { printable, type SharpnessReading } from '../measure/reading.js';
import { inputNames, outputNames } from '../tfjs/model-graph.js';
import { lineOf } from '../warnings.js';
import { type FileBackend, fileBackends, startBackend } from './backend.js';
import { isModule, readDataFile, readDataModule } from './data-file.js';
import { disposeModel, loadModelFile } from './model-file.js';
import { modelInputs, randomInputs } from './model-inputs.js';
import { checkPredictions } from './predictions.js';
import type { FileData, Samples } from './samples.js';
import { trainingLoss } from './training-loss.js';

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
  /** A file of labels, as `labels` of `measureSharpness`. Default: those that `data` has. */
  readonly labels?: string;
  /** A file of predictions of the first output, as Keras has made them: another prediction is refused. */
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
 * Models are `model.json` files of tf.js layers, folders with one, URLs, and `.keras` archives. The loss is `loss`, or what the file
 * says that its model was trained by, or what belongs to its last activation: softmax and categorical cross-entropy, sigmoid and binary
 * cross-entropy.
 *
 * @param models paths or URLs.
 * @returns a reading of each, with `model`; or `{ model, problem }`, what was wrong with it in one line, and then the next.
 * @throws Error with one line for options that there are not, a backend that does not start, or the reason of `signal`.
 */
export async function* measureFiles(
  models: string | readonly string[],
  options: MeasureFilesOptions = {},
): AsyncGenerator<FileReading | FileProblem> {
  checkOptions(options);
  if (
    options.backend !== undefined ||
    !['tensorflow', 'wasm', 'cpu', 'webgl', 'webgpu'].some((name) => tf.findBackendFactory(name))
  ) {
    await startBackend(options.backend);
  }
  for (const path of options.require ?? []) {
    await loadModule(path);
  }
  for (const model of [models].flat() as string[]) {
    let result: FileReading | FileProblem;
    try {
      result = await measureFile(model, options);
    } catch (error) {
      if (options.signal?.aborted) {
        throw error;
      }
      result = { model, problem: lineOf(error) };
    }
    yield result;
  }
}

function checkOptions(options: MeasureFilesOptions): void {
  checkKnownOptions('measureFiles', options, optionNames);
  const { data, random, limit, scale, seed, backend } = options;
  if ((data === undefined) === (random === undefined)) {
    throw new Error('measureFiles: pass either data, a file of samples, or random, how many to draw.');
  }
  if (random !== undefined) {
    checkWhole('random', random, { atLeast: 1 }, 'pass a number of samples, for example 100');
  }
  if (limit !== undefined) {
    checkWhole('limit', limit, { atLeast: 1 }, 'pass a number of samples, for example 1000');
  }
  if (scale !== undefined) {
    checkNumber('scale', scale, {}, 'pass a factor, for example 1 / 255');
  }
  if (seed !== undefined) {
    checkWhole('seed', seed);
  }
  if (backend !== undefined) {
    checkOneOf('backend', backend, fileBackends);
  }
}

async function loadModule(path: string): Promise<void> {
  const isFile = existsSync(path);
  try {
    // The user's own packages lie in the user's folder.
    const found = isFile ? resolve(path) : createRequire(resolve('package.json')).resolve(path);
    await import(pathToFileURL(found).href);
  } catch (error) {
    throw new Error(`cannot load '${path}': ${lineOf(error)}`, { cause: error });
  }
}

async function measureFile(path: string, options: MeasureFilesOptions): Promise<FileReading> {
  const { onNote, seed = 0, randomWeights, labels, expect, output } = options;
  const { model, training, notes } = await loadModelFile(path, randomWeights ? { randomWeights: seed } : {});
  const disposable: tf.Tensor[] = [];
  try {
    const { inputs, ys } = await inputsOf(model, options, disposable);
    for (const note of notes) {
      onNote?.(path, note);
    }
    const trained = options.loss === undefined ? trainingLoss(training) : undefined;
    const losses = options.loss ?? trained?.loss ?? lossByActivation(model, output, (note) => onNote?.(path, note));
    const loss = output === undefined ? losses : lossOfOutput(model, losses, output);
    const lossWeights = output === undefined ? (options.lossWeights ?? trained?.lossWeights) : undefined;
    if (expect !== undefined) {
      await checkPredictions(model, inputs, expect, Math.min(options.limit ?? Number.POSITIVE_INFINITY));
    }
    const given = labels === undefined ? ys : await readLabels(labels, options.limit);
    const labelTensor = given && labelsFor(given, loss, model);
    if (labelTensor) {
      disposable.push(labelTensor);
    }
    const { method, part, memoryMB, countFrozen, signal, onProgress } = options;
    const reading = await measureSharpness(model, inputs, {
      loss,
      ...defined({ lossWeights, method, part, memoryMB, countFrozen, signal, onProgress, labels: labelTensor }),
      seed,
    });
    return printable({ model: path, ...reading });
  } finally {
    tf.dispose(disposable);
    disposeModel(model);
  }
}

function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}

async function inputsOf(
  model: tfl.LayersModel,
  { data, random, limit = Number.POSITIVE_INFINITY, scale, seed = 0 }: MeasureFilesOptions,
  disposable: tf.Tensor[],
): Promise<{ readonly inputs: SharpnessInputs; readonly ys?: Samples }> {
  if (random !== undefined) {
    disposable.push(...randomInputs(model, Math.min(random, limit), seed));
    return { inputs: [...disposable] };
  }
  if (typeof data === 'string' && isModule(data)) {
    if (limit !== Number.POSITIVE_INFINITY || scale !== undefined) {
      throw new Error('limit and scale are for files of numbers: let the module export what is to be measured.');
    }
    return { inputs: (await readDataModule(data)) as SharpnessInputs };
  }
  const files = typeof data === 'string' ? { '': data } : data!;
  const names = inputNames(model);
  const arrays = new Map<string, Samples>();
  let ys: Samples | undefined;
  for (const [name, path] of Object.entries(files)) {
    if (name !== '' && !names.includes(name)) {
      throw new Error(`the model has no input '${name}', only ${names.join(', ')}.`);
    }
    const input = model.inputs[Math.max(0, names.indexOf(name))]!.shape;
    const read: FileData = await readDataFile(path, input, limit);
    for (const [key, array] of read.arrays) {
      arrays.set(name === '' || read.arrays.size > 1 ? key : name, array);
    }
    ys ??= read.labels;
  }
  disposable.push(...modelInputs(model, arrays, limit, scale));
  return { inputs: [...disposable], ...(ys && { ys }) };
}

async function readLabels(path: string, limit = Number.POSITIVE_INFINITY): Promise<Samples> {
  const { arrays } = await readDataFile(path, [null, null], limit);
  return [...arrays.values()][0]!;
}

/** Labels as numbers of classes become rows where the loss wants rows. */
function labelsFor({ shape, values }: Samples, loss: Losses, model: tfl.LayersModel): tf.Tensor | undefined {
  const classes = model.outputs[0]!.shape.at(-1)!;
  const isClasses = shape.length === 1 || (shape.length === 2 && shape[1] === 1);
  const wantsRows = ['categoricalCrossentropy', 'categorical_crossentropy', 'softmaxCrossEntropy'].includes(
    loss as string,
  );
  return tf.tidy(() =>
    isClasses && wantsRows && classes > 1
      ? tf.cast(tf.oneHot(tf.tensor1d(Int32Array.from(values), 'int32'), classes), 'float32')
      : tf.tensor(values, [...shape]),
  );
}

function lossByActivation(model: tfl.LayersModel, output: string | undefined, note: (line: string) => void): Losses {
  const names = outputNames(model);
  const found = lastActivations(model).map((activation, i) => {
    if (output !== undefined && names[i] !== output) {
      return undefined;
    }
    if (activation === undefined) {
      throw new Error(
        `the file does not say what the output '${names[i]}' was trained by, and it ends in neither softmax nor sigmoid: say it, ` +
          '--loss meanSquaredError, or --loss softmaxCrossEntropy for logits.',
      );
    }
    return activation === 'softmax' ? 'categoricalCrossentropy' : 'binaryCrossentropy';
  });
  const used = names.flatMap((name, i) => (found[i] === undefined ? [] : [[name, found[i]] as const]));
  note(
    `The file does not say what the model was trained by: taken is ${[...new Set(used.map(([, loss]) => loss))].join(' and ')}, by its last activation.`,
  );
  return Object.fromEntries(used);
}

function lossOfOutput(model: tfl.LayersModel, losses: Losses, output: string): Losses {
  const names = outputNames(model);
  const place = names.indexOf(output);
  if (place < 0) {
    throw new Error(`the model has no output '${output}', only ${names.join(', ')}.`);
  }
  if (typeof losses !== 'object') {
    return { [output]: losses };
  }
  const loss = Array.isArray(losses) ? losses[place] : (losses as { [name: string]: never })[output];
  if (loss === undefined) {
    throw new Error(`the output '${output}' has no loss: say it, --loss NAME.`);
  }
  return { [output]: loss };
}
