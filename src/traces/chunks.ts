import * as tf from '@tensorflow/tfjs-core';
import type { Head } from '../network/heads.js';
import type { StepPlan } from '../network/tape.js';

/** How many samples, and columns of each head, fit the memory budget at once. */
export interface ChunkSize {
  readonly samples: number;
  readonly columns: readonly number[];
}

/** By the first of a network's weights, and then by all else that a chunk's memory depends on. */
const known = new WeakMap<object, Map<string, ChunkSize>>();

/** A pass over samples, as far as its memory goes. */
export interface ChunkedPass {
  readonly name: 'exact' | 'weights' | 'pairs';
  readonly plan: readonly StepPlan[];
  readonly heads: readonly Head[];
  readonly budgetBytes: number;
}

/**
 * The chunk that fitted when the network was first measured. So readings are free of trials, and the same for every reading: what
 * is the same is measured to the same last digit.
 *
 * @param shapes of one sample of each input.
 * @param trial finds the chunk the first time.
 */
export function rememberedChunk(
  { name, plan, heads, budgetBytes }: ChunkedPass,
  shapes: readonly (readonly number[])[],
  trial: () => ChunkSize,
): ChunkSize {
  const operations = plan.map(({ step: { operation } }) => operation);
  const network = operations.flatMap(({ parameters }) => parameters).find(({ trainable }) => trainable)?.variable;
  if (!network) {
    return trial();
  }
  const steps = plan.map(({ step: { operation }, carriesDelta, leavesNorms }) => [
    operation.layer.name,
    operation.description,
    carriesDelta,
    leavesNorms,
  ]);
  const kind = JSON.stringify([name, tf.getBackend(), budgetBytes, shapes, heads.map(({ output }) => output), steps]);
  const ofNetwork = known.get(network) ?? new Map<string, ChunkSize>();
  known.set(network, ofNetwork);
  const chunk = ofNetwork.get(kind) ?? trial();
  ofNetwork.set(kind, chunk);
  return chunk;
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

/** The next of several chunks, of which none holds more than `most`, in about equal parts: a small last one would be slow. */
export function nextChunk(remaining: number, most: number): number {
  return Math.ceil(remaining / Math.ceil(remaining / most));
}

/** The shape of one sample of each input. */
export const shapesOfSample = (inputs: readonly tf.Tensor[]) => inputs.map(({ shape }) => shape.slice(1));
