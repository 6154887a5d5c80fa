import type * as tf from '@tensorflow/tfjs-core';
import { isStop, type Walk } from '../network/walk.js';
import { gatherRows } from '../traces/pairs/input-rows.js';
import { uniforms } from '../traces/sampling/uniform.js';

/** Where the numbers that choose samples begin; those below choose pairs, of the same seed. */
const FIRST_OF_SAMPLES = 2 ** 52;

/** A random part of a batch or of a whole set. */
export interface RandomPart {
  /** Samples that it was drawn from. */
  readonly population: number;
  /** Their places, ascending. */
  readonly places: readonly number[];
}

/** Numbers of about the same size stand in one of so many heaps, so that few have to be sorted. */
const HEAPS = 2 ** 16;
const heapOf = (number: number) => Math.floor(number * HEAPS);

/**
 * A part of fixed size of a set of known size, every one alike probable, piece by piece.
 *
 * @throws RangeError with one line if fewer than 2 samples are in it, which say nothing of their spread.
 */
export function* partOfSet(share: number, samples: number, seed: number): Walk<RandomPart> {
  const size = Math.round(share * samples);
  checkSize(size, samples);
  const uniform = uniforms(seed);
  const numbers = new Float64Array(samples);
  const inHeap = new Uint32Array(HEAPS);
  for (let n = 0; n < samples; n++) {
    numbers[n] = uniform(FIRST_OF_SAMPLES + n);
    inHeap[heapOf(numbers[n])]++;
    if (isStop(n)) {
      yield;
    }
  }
  let last = 0;
  let before = 0;
  while (before + inHeap[last] < size) {
    before += inHeap[last++];
  }
  const heap: number[] = [];
  for (let n = 0; n < samples; n++) {
    if (heapOf(numbers[n]) === last) {
      heap.push(numbers[n]);
    }
    if (isStop(n)) {
      yield;
    }
  }
  const threshold = heap.sort((a, b) => a - b)[size - before - 1];
  const places: number[] = [];
  for (let n = 0; n < samples; n++) {
    if (numbers[n] <= threshold) {
      places.push(n);
    }
    if (isStop(n)) {
      yield;
    }
  }
  return { population: samples, places };
}

/** Draws from batches of an unknown number: every sample on its own, so that parts of the same size are alike probable. */
export function partOfStream(share: number, seed: number) {
  const uniform = uniforms(seed);
  let samples = 0;
  let size = 0;
  return {
    next(batch: number): RandomPart {
      const places = Array.from({ length: batch }, (_, n) => n).filter(
        (n) => uniform(FIRST_OF_SAMPLES + samples + n) < share,
      );
      samples += batch;
      size += places.length;
      return { population: batch, places };
    },
    /** Samples read. */
    get population() {
      return samples;
    },
    /** @throws RangeError with one line if fewer than 2 samples were drawn. */
    end() {
      checkSize(size, samples);
    },
  };
}

function checkSize(size: number, samples: number): void {
  if (size < 2) {
    throw new RangeError(
      `part: ${size} of the ${samples} samples would be run, and an error takes 2 at least, better hundreds: raise part.`,
    );
  }
}

/** The rows of a part, of each tensor. They are the caller's. */
export function rowsOf({ places }: RandomPart, tensors: readonly tf.Tensor[]): tf.Tensor[] {
  return gatherRows(tensors, places);
}
