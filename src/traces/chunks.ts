import * as tf from '@tensorflow/tfjs-core';
import type { Head } from '../network/heads.js';
import type { StepPlan } from '../network/tape.js';
import { backendName } from '../tfjs/backend.js';

/** Samples seen, after every chunk: the place to yield to the event loop. */
export type Pause = (samples: number) => Promise<void>;

/** How many samples, and columns of each head, fit the memory budget at once. */
export interface ChunkSize {
  readonly samples: number;
  readonly columns: readonly number[];
}

/** A chunk that has been started: its numbers may still be on their way. */
export interface StartedChunk {
  /** All that is read of it; whoever reads it disposes it. */
  readonly found: tf.Tensor;
}

/** A pass over consecutive samples, or over pairs one by one, that stays under a memory budget. */
export interface ChunkedPass<Started extends StartedChunk> {
  readonly name: 'exact' | 'weights' | 'pairs';
  readonly plan: readonly StepPlan[];
  readonly heads: readonly Head[];
  readonly budgetBytes: number;
  /** Samples in all. */
  readonly length: number;
  /** Shapes of one sample of each input. */
  readonly shapes: readonly (readonly number[])[];
  /** Finds out how much fits the budget at once. */
  trial(): ChunkSize;
  /** Runs the samples `begin`, ..., `begin + count - 1`. When it throws, it leaves nothing behind. */
  start(begin: number, count: number, size: ChunkSize): Started;
}

/** Runs a pass, chunk after chunk: each is started when it is asked for. */
export function* chunksOf<Started extends StartedChunk>(pass: ChunkedPass<Started>): Generator<Started, void, void> {
  const { length } = pass;
  if (length === 0) {
    return;
  }
  const size = rememberedSize(pass);
  for (let begin = 0; begin < length; ) {
    const count = nextChunk(length - begin, size.samples);
    yield pass.start(begin, count, size);
    begin += count;
  }
}

/** Reads chunks one after the other. Each is read when the next has been started, so that a GPU is not left waiting in between. */
export async function* readBehind<Started extends StartedChunk, Read>(
  chunks: Iterable<Started>,
  read: (started: Started) => Promise<Read>,
): AsyncGenerator<Read, void, void> {
  let started: Started | null = null;
  try {
    for (const next of chunks) {
      const earlier: Started | null = started;
      started = next;
      if (earlier) {
        yield await read(earlier);
      }
    }
    if (started) {
      yield await read(started);
    }
  } finally {
    started?.found.dispose();
  }
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
function rememberedSize(pass: ChunkedPass<StartedChunk>): ChunkSize {
  const { name, plan, heads, budgetBytes, shapes } = pass;
  const operations = plan.map(({ step: { operation } }) => operation);
  const network = operations.flatMap(({ parameters }) => parameters).find(({ trainable }) => trainable)?.variable;
  if (!network) {
    return pass.trial();
  }
  const steps = plan.map(({ step: { operation }, carriesDelta, leavesNorms }) => [
    operation.layer.name,
    operation.description,
    carriesDelta,
    leavesNorms,
  ]);
  const kind = JSON.stringify([name, backendName(), budgetBytes, shapes, heads.map(({ output }) => output), steps]);
  const ofNetwork = known.get(network) ?? new Map<string, ChunkSize>();
  known.set(network, ofNetwork);
  const chunk = ofNetwork.get(kind) ?? pass.trial();
  ofNetwork.set(kind, chunk);
  return chunk;
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

/** More than a few samples, for what does not grow with them. */
const SECOND_TRIAL = 16;

/**
 * How many samples fit, from what one takes and then, more precisely, from what a few do.
 *
 * @param fitting how many fit, from a trial with so many.
 */
export function twiceTried(fitting: (samples: number) => number): number {
  return fitting(Math.min(SECOND_TRIAL, fitting(1)));
}

/**
 * The trial of a pass whose chunks do not split the columns.
 *
 * @param length samples in all.
 * @param start starts a chunk, and says how many samples fit the budget if these take what they took.
 */
export function trialOfSamples(
  length: number,
  start: (begin: number, count: number) => StartedChunk & { readonly fit: number },
): ChunkSize {
  const samples = twiceTried((wanted) => {
    const { found, fit } = start(0, Math.min(wanted, length));
    found.dispose();
    return fit;
  });
  return { samples, columns: [] };
}

/** The next of several chunks, of which none holds more than `most`, in about equal parts: a small last one would be slow. */
export function nextChunk(remaining: number, most: number): number {
  return Math.ceil(remaining / Math.ceil(remaining / most));
}

/** Consecutive samples of each input; who asked disposes them. */
export function samplesOf(inputs: readonly tf.Tensor[], begin: number, count: number): tf.Tensor[] {
  return tf.tidy(() => inputs.map((x) => tf.slice(x, begin, count)));
}

/** The shape of one sample of each input. */
export const shapesOfSample = (inputs: readonly tf.Tensor[]) => inputs.map(({ shape }) => shape.slice(1));
