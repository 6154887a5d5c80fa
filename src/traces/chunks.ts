import * as tf from '@tensorflow/tfjs-core';
import type { Head } from '../network/heads.js';
import type { StepPlan } from '../network/tape.js';
import { backendName, isSynchronous } from '../tfjs/backend.js';
import { consecutiveRows } from '../tfjs/consecutive-rows.js';
import { deviceErrors } from '../tfjs/device-errors.js';
import { dropFreeBuffers } from '../tfjs/webgpu.js';
import { gatherRows } from './pairs/input-rows.js';

/** Backward rows run, and how many there will be, where that is known. */
export interface RowsRun {
  readonly rows: number;
  readonly totalRows: number | undefined;
}

/** Samples seen, and what was run of the backward pass, after every chunk: the place to yield to the event loop. */
export type Pause = (samples: number, run?: RowsRun) => Promise<void>;

/** The same within a chunk, between two pieces of it or two layers. */
export type Between = () => Promise<void>;

/**
 * How long a step of a chunk may take, the work on one layer, between two of which the event loop may have its turn: in the ms of
 * `watchKernels`, so that a page on a slower machine still draws. tfjs-node, where there is no page, multiplies large batches faster.
 */
const STEP_MS = 20;
const LONG_STEP_MS = 60;
/** What a chunk takes whatever its size, calls of kernels and work on weights, is no more than one part in so many of all. */
const WORTHWHILE = 10;

/** How many samples, and columns of each head, fit the memory budget at once. */
export interface ChunkSize {
  readonly samples: number;
  readonly columns: readonly number[];
}

/** A chunk that has been started: its numbers may still be on their way. */
export interface StartedChunk {
  /** All that is read of it, which `chunksOf` does and disposes it. */
  readonly found: tf.Tensor;
}

/** A pass over consecutive samples, or over pairs one by one, that stays under a memory budget. */
export interface ChunkedPass<Started extends StartedChunk, Read> {
  readonly name: 'exact' | 'weights' | 'pairs' | 'diagonal';
  readonly plan: readonly StepPlan[];
  readonly heads: readonly Head[];
  readonly budgetBytes: number;
  /** Samples in all. */
  readonly length: number;
  /** Shapes of one sample of each input. */
  readonly shapes: readonly (readonly number[])[];
  /** How many chunks are read together on a GPU, at most; the next is started meanwhile. Default 8. */
  readonly together?: number;
  /** Finds out how much fits the budget at once. */
  trial(between: Between): ChunkSize | Promise<ChunkSize>;
  /** Runs the samples `begin`, ..., `begin + count - 1`. When it throws, it leaves nothing behind. */
  start(begin: number, count: number, size: ChunkSize, between: Between): Started | Promise<Started>;
  /** @param values the numbers of `found`. */
  read(started: Started, values: Float32Array, between: Between): Read | Promise<Read>;
  /** Told that chunks that were started are thrown away, and are started again: what they have left elsewhere does not count. */
  forget?(): void;
}

/** Chunks whose numbers are read together on a GPU: each read waits for all that has been started. */
const READ_TOGETHER = 8;

/** A chunk on its way. */
interface WaitingChunk<Started> {
  readonly begin: number;
  readonly count: number;
  readonly started: Started;
}

/**
 * Runs a pass, chunk after chunk. They are read when the next has been started, so that a GPU is not left waiting in between. One that
 * fails, when it is started or when it is read, is tried again as two, down to one sample and one column, since backends have limits
 * of their own; what else is wrong is wrong then, too. So is one during which a WebGPU device reported an error: tf.js has gone on
 * with zeros. The size that did it is remembered.
 *
 * @param between called between the pieces of a chunk; what it throws ends the pass.
 */
export async function* chunksOf<Started extends StartedChunk, Read>(
  pass: ChunkedPass<Started, Read>,
  between: Between = async () => {},
): AsyncGenerator<Read, void, void> {
  const { length } = pass;
  if (length === 0) {
    return;
  }
  let isOver = false;
  const orOver: Between = async () => {
    isOver = true;
    await between();
    isOver = false;
  };
  const remembered = rememberedSizes(pass);
  const isAhead = !isSynchronous();
  const together = isAhead ? (pass.together ?? READ_TOGETHER) : 1;
  const device = deviceErrors();
  let waiting: WaitingChunk<Started>[] = [];
  /** The numbers of the first of these, once they have been read. */
  let values: Float32Array[] = [];
  const drop = () => tf.dispose(waiting.map(({ started }) => started.found));
  try {
    let size = remembered.get() ?? remembered.set(await trialOf(pass, orOver));
    for (let begin = 0; begin < length || waiting.length > 0; ) {
      const first: WaitingChunk<Started> | undefined = waiting[0];
      const count = nextChunk(length - begin, size.samples);
      // On WebGPU the buffers of a chunk serve the next if that is as large: else they have to go first.
      const fitsBeside = !first || !isAhead || first.count === count;
      const isNext = begin < length && waiting.length <= together && values.length === 0 && fitsBeside;
      let read: Read;
      try {
        if (isNext || !first) {
          if (first && isAhead) {
            await orOver();
          }
          waiting.push({ begin, count, started: await pass.start(begin, count, size, orOver) });
          begin += count;
          continue;
        }
        if (values.length === 0) {
          values = await readTogether(waiting.slice(0, together).map(({ started }) => started.found));
          await device.check();
          remembered.set(size);
        }
        read = await pass.read(first.started, values[0], orOver);
        await device.check();
      } catch (error) {
        // What leaves the range of float32 does so in chunks of any size.
        const isFinal = isOver || (!isNext && error instanceof RangeError);
        const smaller: ChunkSize | null = isFinal ? null : halved(size, isNext || !first ? count : first.count);
        if (!smaller) {
          throw error;
        }
        size = smaller;
        if (!isNext && first) {
          begin = first.begin;
          drop();
          waiting = [];
          values = [];
        }
        dropFreeBuffers();
        pass.forget?.();
        continue;
      }
      waiting.shift();
      values.shift();
      first.started.found.dispose();
      yield read;
    }
  } finally {
    device.stop();
    drop();
  }
}

/** Finds out how much fits. What a trial takes on a WebGPU device is all that it takes, where nothing is left of others. */
function trialOf<Started extends StartedChunk, Read>(
  pass: ChunkedPass<Started, Read>,
  between: Between,
): ChunkSize | Promise<ChunkSize> {
  dropFreeBuffers();
  return pass.trial(between);
}

/** The numbers of several tensors, in one read. */
async function readTogether(tensors: readonly tf.Tensor[]): Promise<Float32Array[]> {
  if (tensors.length === 1) {
    return [(await tensors[0].data()) as Float32Array];
  }
  const all = await valuesOf(tf.tidy(() => tf.concat(tensors.map((each) => tf.reshape(each, [-1])))));
  let end = 0;
  return tensors.map(({ size }) => {
    end += size;
    return all.subarray(end - size, end);
  });
}

/** Half of a chunk of `count` samples: of its samples or, where it is one, of its columns; null where there is nothing to halve. */
function halved({ columns }: ChunkSize, count: number): ChunkSize | null {
  if (count > 1) {
    return { samples: Math.ceil(count / 2), columns };
  }
  return columns.some((each) => each > 1) ? { samples: 1, columns: columns.map((each) => Math.ceil(each / 2)) } : null;
}

/** The numbers of a tensor, which is disposed. */
export async function valuesOf(found: tf.Tensor): Promise<Float32Array> {
  try {
    return (await found.data()) as Float32Array;
  } finally {
    found.dispose();
  }
}

/** By the first of a network's weights, and then by all else that a chunk's memory depends on. */
const known = new WeakMap<object, Map<string, ChunkSize>>();

/**
 * The chunk that fitted when the network was first measured. So readings are free of trials, and the same for every reading: what
 * is the same is measured to the same last digit.
 */
function rememberedSizes<Started extends StartedChunk, Read>(pass: ChunkedPass<Started, Read>) {
  const { name, plan, heads, budgetBytes, shapes } = pass;
  const operations = plan.map(({ step: { operation } }) => operation);
  const network = operations.flatMap(({ parameters }) => parameters).find(({ trainable }) => trainable)?.variable;
  const steps = plan.map(({ step: { operation }, carriesDelta, leavesNorms }) => [
    operation.layer.name,
    operation.description,
    carriesDelta,
    leavesNorms,
  ]);
  const outputs = heads.map(({ output }) => output);
  const kind = JSON.stringify([name, backendName(), budgetBytes, shapes, outputs, steps]);
  const ofNetwork = (network && known.get(network)) ?? new Map<string, ChunkSize>();
  if (network) {
    known.set(network, ofNetwork);
  }
  return {
    get: () => ofNetwork.get(kind),
    set(size: ChunkSize): ChunkSize {
      ofNetwork.set(kind, size);
      return size;
    },
  };
}

/**
 * How many fit the budget, if `count` of them peaked at `peak` bytes: no tensor grows faster than in proportion to their
 * number. At least 1.
 *
 * @throws RangeError with one line if `count` is the smallest part there is and even that does not fit.
 */
export function fitting(budgetBytes: number, count: number, peak: number, smallest: boolean): number {
  const fit = Math.floor((budgetBytes * count) / peak);
  if (fit < 1 && smallest) {
    throw new RangeError(
      `memoryMB: ${budgetBytes / 2 ** 20} is too small: one sample of this model needs ` +
        `${Math.ceil(peak / 2 ** 20)} MB. Raise memoryMB.`,
    );
  }
  return Math.max(1, fit);
}

/** So many samples, or columns, and how long each step with them takes, in the ms of `watchKernels`. */
export interface Tried {
  readonly count: number;
  readonly steps: readonly number[];
}

/**
 * How many take no longer in any step than a step may, but for what that takes whatever their number; more, where chunks would be so small
 * that this is a tenth of all they take. It is counted, not measured: chunks decide which numbers are added to which, and readings of
 * several processes are to be the same to the last digit.
 *
 * @param few what one or a few took.
 * @param more what more of them took, if there are more. Steps grow in proportion to what they take beyond those of no samples at all.
 */
export function fittingWork(few: Tried, more: Tried = few): number {
  const longest = backendName() === 'wasm' ? STEP_MS : LONG_STEP_MS;
  const isLine = more.count > few.count && more.steps.length === few.steps.length;
  const lines = more.steps.map((ms, i) => {
    const slope = isLine ? Math.max(0, (ms - few.steps[i]) / (more.count - few.count)) : ms / more.count;
    return { slope, always: Math.max(0, ms - more.count * slope) };
  });
  const sum = (of: readonly number[]) => of.reduce((total, each) => total + each, 0);
  // What does not grow takes what it takes, however few there are.
  const growing = lines.filter(({ slope }) => slope > 0);
  const inTime = Math.min(...growing.map(({ slope, always }) => Math.max(0, longest - always) / slope));
  const worthwhile = ((WORTHWHILE - 1) * sum(lines.map(({ always }) => always))) / sum(lines.map(({ slope }) => slope));
  const most = Math.max(inTime, worthwhile);
  // Where it is a whole number but for its rounding, it is that number.
  return isSynchronous() && !Number.isNaN(most) ? Math.max(1, Math.floor(most * (1 + 1e-9))) : Number.POSITIVE_INFINITY;
}

/** More than a few samples, for what does not grow with them. */
const SECOND_TRIAL = 16;

/**
 * How many to try after one: two at least, to see what grows, and no more than take as long as a step may.
 *
 * @param fit how many fit the memory.
 */
export function secondTrial(one: Tried, fit: number): number {
  return Math.min(SECOND_TRIAL, fit, Math.max(2, fittingWork(one)));
}

/** A chunk that was tried. */
export interface TriedChunk extends Tried {
  /** How many samples fit the budget if these take what they took. */
  readonly fit: number;
}

/**
 * How many samples fit, from what one takes and then, more precisely, from what a few do.
 *
 * @param tried runs so many, or as many as there are.
 */
export async function twiceTried(tried: (samples: number) => Promise<TriedChunk>): Promise<number> {
  const one = await tried(1);
  const few = await tried(secondTrial(one, one.fit));
  return Math.min(few.fit, fittingWork(one, few));
}

/**
 * The trial of a pass whose chunks do not split the columns.
 *
 * @param length samples in all.
 */
export async function trialOfSamples(
  length: number,
  start: (begin: number, count: number) => Promise<StartedChunk & Omit<TriedChunk, 'count'>>,
): Promise<ChunkSize> {
  const samples = await twiceTried(async (wanted) => {
    const count = Math.min(wanted, length);
    const { found, fit, steps } = await start(0, count);
    found.dispose();
    return { count, fit, steps };
  });
  return { samples, columns: [] };
}

/** The next of several chunks, of which none holds more than `most`, in about equal parts: a small last one would be slow. */
export function nextChunk(remaining: number, most: number): number {
  return Math.ceil(remaining / Math.ceil(remaining / most));
}

/** Consecutive samples of each input; who asked disposes them. */
export function samplesOf(inputs: readonly tf.Tensor[], begin: number, count: number): tf.Tensor[] {
  return tf.tidy(() => inputs.map((x) => consecutiveRows(x, begin, count)));
}

/** So many samples of each input, the first ones, again and again where there are fewer: chunks are of one size for data of any. */
export function samplesForTrial(inputs: readonly tf.Tensor[], count: number): tf.Tensor[] {
  const [there] = inputs[0].shape;
  return there >= count
    ? samplesOf(inputs, 0, count)
    : gatherRows(
        inputs,
        Array.from({ length: count }, (_, i) => i % there),
      );
}

/** Runs a chunk of `samplesForTrial`, which go afterwards. */
export async function onSamplesForTrial<T>(
  inputs: readonly tf.Tensor[],
  count: number,
  run: (samples: readonly tf.Tensor[]) => Promise<T>,
): Promise<T> {
  const samples = samplesForTrial(inputs, count);
  try {
    return await run(samples);
  } finally {
    tf.dispose(samples);
  }
}

/** The shape of one sample of each input. */
export const shapesOfSample = (inputs: readonly tf.Tensor[]) => inputs.map(({ shape }) => shape.slice(1));
