import * as tf from '@tensorflow/tfjs-core';
import { checkSameEngine } from '../tfjs/copies.js';
import { checkFiniteInputs, checkFiniteWeights } from './finite.js';
import { type DatasetInputs, isDataset } from './inputs.js';
import type { Data, Task } from './methods.js';
import { checkMeasureOptions, type MeasureOptions } from './options.js';
import { partOfSet, partOfStream, rowsOf } from './random-part.js';
import { checkRepeatableForward } from './repeatable-forward.js';
import type { Subject } from './subject.js';

/** Larger chunks are faster, and the native backend has the machine's memory rather than a browser tab's. */
const defaultMemoryMB = () => (tf.getBackend() === 'tensorflow' ? 1024 : 256);
/** Longest time for which a measurement keeps the event loop to itself, chunks permitting. */
const YIELD_MS = 50;

/** What to measure: a subject, made after the options are known to be right, and its data. */
export interface Assignment {
  readonly makeSubject: () => Subject;
  readonly inputs: unknown;
  readonly options: MeasureOptions;
  /** Sees the first inputs. */
  readonly check?: (subject: Subject, inputs: readonly tf.Tensor[]) => void;
}

/**
 * Runs a way of measuring with all that it works on, checked; what that takes is disposed afterwards.
 *
 * @throws Error with one line that says what was wrong and how to mend it.
 */
export async function withTask<T>(
  { makeSubject, inputs, options, check = () => {} }: Assignment,
  run: (task: Task, subject: Subject) => Promise<T>,
): Promise<T> {
  checkMeasureOptions(options);
  options.signal?.throwIfAborted();
  const subject = makeSubject();
  const { memoryMB = defaultMemoryMB(), seed = 0, part = 1 } = options;
  const given = isDataset(inputs) ? null : subject.inputs(inputs);
  checkSameEngine(subject.weights, given ?? undefined);
  const population = given?.[0].shape[0];
  if (population === undefined && options.sampleWeight !== undefined) {
    throw new Error('sampleWeight goes with tensors, not with a dataset: pass the inputs as tensors.');
  }
  const ofSet = part < 1 && population !== undefined ? partOfSet(part, population, seed) : null;
  const weights = given ? await subject.lossInputs(population as number, options.labels) : [];
  const rows = ofSet && given ? rowsOf(ofSet, [...given, ...weights]) : null;
  const tensors = given && (rows ?? [...given, ...weights]);
  try {
    await checkFiniteWeights(subject.weights);
    let lastYield = performance.now();
    const pause = async (samples: number) => {
      options.onProgress?.({ samples, total: tensors?.[0].shape[0] });
      if (performance.now() - lastYield > YIELD_MS) {
        await nextTurn();
        lastYield = performance.now();
      }
      options.signal?.throwIfAborted();
    };
    let first = true;
    const checked = async (batch: readonly tf.Tensor[], measure: Measure) => {
      const ofInputs = batch.slice(0, subject.inputNames.length);
      await checkFiniteInputs(subject.inputNames, ofInputs);
      if (first) {
        check(subject, ofInputs);
        checkRepeatableForward(subject.graph, batch);
      }
      first = false;
      await measure(batch);
    };
    const ofStream = part < 1 && !given ? partOfStream(part, seed) : null;
    const data: Data = {
      tensors,
      ...((ofSet ?? ofStream) && { population: () => (ofSet ?? (ofStream as { population: number })).population }),
      eachBatch: async (measure) => {
        if (tensors) {
          await checked(tensors, measure);
          return;
        }
        await forEachItem(inputs as DatasetInputs, async (item) => {
          const { inputs: batch, labels } = subject.item(item);
          const ofBatch = ofStream?.next(batch[0].shape[0]);
          if (ofBatch?.places.length === 0) {
            return;
          }
          const ofLoss = await subject.lossInputs(batch[0].shape[0], labels);
          const all = [...batch, ...ofLoss];
          const drawn = ofBatch && rowsOf(ofBatch, all);
          try {
            await checked(drawn ?? all, measure);
          } finally {
            tf.dispose([ofLoss, drawn ?? []]);
          }
        });
        ofStream?.end();
      },
    };
    const { graph, heads, symmetry, source } = subject;
    const task: Task = { source, graph, heads, symmetry, data, budgetBytes: memoryMB * 2 ** 20, seed, pause };
    return await run(task, subject);
  } finally {
    tf.dispose([weights, rows ?? []]);
  }
}

/** A turn of the event loop. A timer sleeps, for a millisecond or, on a busy machine, for many. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') {
      setImmediate(resolve);
    } else {
      setTimeout(resolve, 0);
    }
  });
}

type Measure = (batch: readonly tf.Tensor[]) => Promise<void>;

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
