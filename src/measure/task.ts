import * as tf from '@tensorflow/tfjs-core';
import { throwIfAborted } from '../abort-signals.js';
import { checkSameEngine } from '../tfjs/copies.js';
import { withDeviceErrors } from '../tfjs/device-errors.js';
import { defaultMemoryMB } from '../tfjs/device-memory.js';
import type { Pause } from '../traces/chunks.js';
import { isTurnDue, nextTurn, numbersInTurns } from '../traces/event-loop.js';
import { watchForEnd } from './dataset-end.js';
import { checkFiniteInputs, checkFiniteWeights } from './finite.js';
import { checkEnds, type DatasetInputs, isDataset } from './inputs.js';
import { thisInstant } from './instant.js';
import { checkMeasureOptions, type MeasureOptions } from './options.js';
import { partOfSet, partOfStream, type RandomPart, rowsOf } from './random-part.js';
import { checkRepeatableForward } from './repeatable-forward.js';
import { weightedSamples } from './sample-weights.js';
import type { Subject } from './subject.js';
import { timeLeft } from './time-left.js';

/** What a method works on: a subject and its data, checked. */
export interface Task {
  readonly subject: Subject;
  readonly data: Data;
  readonly budgetBytes: number;
  readonly seed: number;
  /** Called after every chunk, and between the pieces of one, with what is done: progress, and the place to yield to the event loop or to stop. */
  readonly pause: Pause;
}

/** The data, read by batches: inputs of the graph, [N, ...] each. */
export interface Data {
  /** All of it, where it is tensors. */
  readonly tensors: readonly tf.Tensor[] | null;
  /** What it is read from, where it is not. */
  readonly dataset?: object;
  eachBatch(run: RunBatch): Promise<void>;
  /** Where the batches hold a random part of the samples: how many there are in all, once they have been read. */
  readonly population?: () => number;
}

type RunBatch = (batch: readonly tf.Tensor[]) => Promise<void>;

/** What to measure: a subject, made after the options are known to be right, and its data. */
export interface Assignment {
  readonly makeSubject: () => Subject;
  readonly inputs: unknown;
  readonly options: MeasureOptions;
  /** Below which the largest eigenvalue leaves gradient descent stable, where that is known. */
  readonly stableBelow?: number;
  /** Sees the first inputs. */
  readonly check?: (inputs: readonly tf.Tensor[]) => void;
}

/**
 * Runs a way of measuring with all that it works on, checked; what that takes is disposed afterwards. The instant that it speaks
 * for is that of the call.
 *
 * @throws Error with one line that says what was wrong and how to mend it.
 */
export async function withTask<T>(
  { makeSubject, inputs, options, check = () => {} }: Assignment,
  run: (task: Task) => Promise<T>,
): Promise<T> {
  checkMeasureOptions(options);
  throwIfAborted(options.signal);
  const subject = atThisInstant(makeSubject());
  const { memoryMB = defaultMemoryMB(), seed = 0 } = options;
  const checkBatch = batchCheck(subject, check, options);
  // Also labels, weights and sums are numbers that an error of the device spoils.
  return withDeviceErrors(async () => {
    const data = isDataset(inputs)
      ? datasetData(subject, inputs, options, checkBatch)
      : await tensorData(subject, inputs, options, checkBatch);
    try {
      await checkFiniteWeights(subject.weights, subject.graph.checkUnmoved);
      const pause = pauses(options, data.tensors?.[0].shape[0]);
      const budgetBytes = (await memoryMB) * 2 ** 20;
      return await run({ subject, data, budgetBytes, seed, pause });
    } finally {
      data.dispose();
    }
  }, options.signal);
}

/** A subject that is only ever run with the weights that it has now. */
function atThisInstant(subject: Subject): Subject {
  return { ...subject, graph: { ...subject.graph, checkUnmoved: thisInstant(subject.weights) } };
}

/** Data with tensors of its own. */
interface OwnedData extends Data {
  dispose(): void;
}

/** Tensors, which are one batch: all of them, or a random part. */
async function tensorData(
  subject: Subject,
  inputs: unknown,
  { part = 1, seed = 0, labels, sampleWeight, signal }: MeasureOptions,
  checkBatch: RunBatch,
): Promise<OwnedData> {
  const { inputs: given, ...own } = subject.item(inputs);
  checkSameEngine(subject.weights, given);
  const [samples] = given[0].shape;
  const drawn = part < 1 ? await numbersInTurns(partOfSet(part, samples, seed), turn(signal)) : null;
  const ofLoss = await subject.lossInputs(given, {
    labels: eitherOf('labels', own.labels, labels),
    sampleWeight: eitherOf('sampleWeight', own.sampleWeight, sampleWeight),
  });
  const all = [...given, ...ofLoss];
  const rows = drawn && drawnRows(drawn, all, ofLoss);
  const tensors = rows ?? all;
  return {
    tensors,
    ...(drawn && { population: () => drawn.population }),
    async eachBatch(run) {
      await checkBatch(tensors);
      await run(tensors);
    },
    dispose: () => tf.dispose([ofLoss, rows ?? []]),
  };
}

/** What comes with the inputs or as an option. @throws Error with one line where both do. */
function eitherOf<T>(name: 'labels' | 'sampleWeight', own: T | undefined, option: T | undefined): T | undefined {
  if (own !== undefined && option !== undefined) {
    const where = name === 'labels' ? 'ys' : name;
    throw new Error(`${name} are given twice, with the inputs as ${where} and as an option: leave one away.`);
  }
  return own ?? option;
}

/** The rows of a part; where an input is disposed meanwhile, what only the loss reads goes too. */
function drawnRows(drawn: RandomPart, all: readonly tf.Tensor[], ofLoss: tf.Tensor[]): tf.Tensor[] {
  try {
    if (all.some(({ isDisposed }) => isDisposed)) {
      throw new Error('An input is a disposed tensor: keep it until the measurement is over.');
    }
    return rowsOf(drawn, all);
  } catch (error) {
    tf.dispose(ofLoss);
    throw error;
  }
}

/** @throws Error with one line for a dataset that does not end, and for labels beside one. */
export function checkDataset(dataset: DatasetInputs, { labels }: MeasureOptions): void {
  checkEnds('inputs', dataset);
  if (labels !== undefined) {
    throw new Error('labels go with tensors: let the dataset yield { xs, ys }.');
  }
}

/** The batches of a dataset, or a random part of each. */
function datasetData(
  subject: Subject,
  dataset: DatasetInputs,
  options: MeasureOptions,
  checkBatch: RunBatch,
): OwnedData {
  checkSameEngine(subject.weights);
  checkDataset(dataset, options);
  const { part = 1, seed = 0, sampleWeight } = options;
  const drawing = part < 1 ? partOfStream(part, seed) : null;
  return {
    tensors: null,
    dataset,
    ...(drawing && { population: () => drawing.population }),
    async eachBatch(run) {
      let seen = 0;
      const checkNotEndless = watchForEnd(dataset);
      await forEachItem(dataset, async (item) => {
        const { inputs, ...own } = subject.item(item);
        const [samples] = inputs[0].shape;
        const given = {
          labels: own.labels,
          sampleWeight: eitherOf('sampleWeight', own.sampleWeight, sampleWeight),
          ...(sampleWeight !== undefined && { firstWeight: seen }),
        };
        seen += samples;
        checkNotEndless(seen);
        const drawn = drawing?.next(samples);
        if (drawn?.places.length === 0) {
          return;
        }
        const ofLoss = await subject.lossInputs(inputs, given);
        const all = [...inputs, ...ofLoss];
        const rows = drawn && drawnRows(drawn, all, ofLoss);
        try {
          await checkBatch(rows ?? all);
          await run(rows ?? all);
        } finally {
          tf.dispose([ofLoss, rows ?? []]);
        }
      });
      drawing?.end();
      if (sampleWeight !== undefined && weightedSamples(sampleWeight) !== seen) {
        throw new Error(
          `sampleWeight has ${weightedSamples(sampleWeight)} entries for a dataset of ${seen} samples: give one for each.`,
        );
      }
    },
    dispose() {},
  };
}

/** What is looked at before a batch is measured: whether it is finite, and with the first one, whether the network can be measured. */
function batchCheck(subject: Subject, check: NonNullable<Assignment['check']>, { signal }: MeasureOptions): RunBatch {
  let first = true;
  const between = turn(signal);
  return async (batch) => {
    const inputs = batch.slice(0, subject.inputNames.length);
    await checkFiniteInputs(subject.inputNames, inputs, between);
    if (first) {
      check(inputs);
      checkRepeatableForward(subject.graph, batch);
    }
    first = false;
  };
}

/** A turn of the event loop, in which the measurement may be stopped. */
function turn(signal: AbortSignal | undefined): () => Promise<void> {
  return async () => {
    await nextTurn();
    throwIfAborted(signal);
  };
}

/** @param total samples that will be run, where that is known. */
function pauses({ onProgress, signal }: MeasureOptions, total: number | undefined): Pause {
  const left = timeLeft();
  const last = { samples: 0, rows: 0 };
  return async (samples, { rows, totalRows } = { rows: 0, totalRows: undefined }) => {
    const timeLeftMs = left(rows, totalRows)?.ms;
    // Not after a trial, of which nothing stays.
    if (samples > last.samples || rows > last.rows) {
      last.samples = samples;
      last.rows = rows;
      await onProgress?.({ samples, total, rows, totalRows, timeLeftMs });
    }
    if (isTurnDue()) {
      await nextTurn();
    }
    throwIfAborted(signal);
  };
}

/** Runs through a dataset once. What it yields is disposed, as `fitDataset` does. */
async function forEachItem(dataset: DatasetInputs, run: (item: unknown) => Promise<void>): Promise<void> {
  const iterator = await dataset.iterator();
  let empty = true;
  for (let item = await iterator.next(); !item.done; item = await iterator.next()) {
    empty = false;
    try {
      await run(item.value);
    } finally {
      tf.dispose(item.value as tf.TensorContainer);
    }
  }
  if (empty) {
    throw new Error(
      'The dataset yielded no samples. A dataset made from a generator can be read again only if the generator can.',
    );
  }
}
