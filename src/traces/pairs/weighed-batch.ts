import type * as tf from '@tensorflow/tfjs-core';
import type { Pause } from '../chunks.js';
import { SMALLEST_SAFE } from '../float-range.js';
import type { PairWeighing, PairWeights } from './pair-weights.js';

/** What a forward pass says of the curvature of a whole batch. */
export interface WeighedBatch extends PairWeights {
  /** R. */
  readonly columns: number;
  /** sum_r w_{n,r} over the columns of each head: one array of [samples] a head. */
  readonly totals: readonly Float64Array[];
}

/**
 * The forward pass over one batch: w of each pair, ||a||^2 of each call, and sum_r w of each sample and head.
 *
 * @param heads how many the network has.
 * @throws RangeError with one line that names a sample for which the network overflows.
 */
export async function weighBatch(
  weighing: PairWeighing,
  heads: number,
  inputs: readonly tf.Tensor[],
  pause: Pause,
): Promise<WeighedBatch> {
  const samples = inputs[0].shape[0];
  const inputNorms = weighing.calls.map(() => new Float32Array(samples));
  const totals = Array.from({ length: heads }, () => new Float64Array(samples));
  let columnsOfHeads: readonly number[] = [];
  let weights = new Float32Array(0);
  let columns = 0;
  let done = 0;
  for await (const chunk of weighing.weights(inputs)) {
    if (done === 0) {
      columnsOfHeads = chunk.columnsOfHeads;
      columns = columnsOfHeads.reduce((sum, each) => sum + each, 0);
      weights = new Float32Array(samples * columns);
    }
    chunk.inputNorms.forEach((norms, call) => {
      inputNorms[call].set(norms, done);
    });
    weights.set(chunk.weights, done * columns);
    for (let n = done, i = done * columns; n < done + chunk.samples; n++) {
      for (let head = 0; head < totals.length; head++) {
        for (const end = i + columnsOfHeads[head]; i < end; i++) {
          totals[head][n] += weights[i];
        }
      }
    }
    done += chunk.samples;
    await pause(done);
  }
  for (const ofHead of totals) {
    const broken = ofHead.findIndex((total) => !Number.isFinite(total));
    if (broken >= 0) {
      throw new RangeError(
        `The output of sample ${broken} is not finite: look for weights or inputs that are huge or not numbers.`,
      );
    }
  }
  return { samples, columns, columnsOfHeads, weights, inputNorms, totals };
}

/** Whether float32 holds what pairs are drawn by, and what is known in closed form. */
export interface BatchRange {
  /** @param off the heads that count nothing in this batch (`countsNothing`). */
  add(batch: WeighedBatch, off: readonly boolean[]): void;
  /**
   * Whether the sums over all batches are what they would be without the limits of float32. What is lost of single samples, of which
   * the network is very sure, does not matter then.
   */
  holds(): boolean;
}

/** @param closedCalls the calls whose traces are made of these numbers: of others, it does not matter which are too small to see. */
export function batchRange(closedCalls: readonly number[]): BatchRange {
  const ofHeads: Sum[] = [];
  const ofCalls: Sum[] = [];
  let areFinite = true;
  return {
    add({ totals, inputNorms }, off) {
      for (const [head, ofHead] of totals.entries()) {
        if (!off[head]) {
          addTo(ofHeads, head, ofHead);
        }
      }
      for (const [call, norms] of inputNorms.entries()) {
        areFinite &&= sumOf(norms) < Number.POSITIVE_INFINITY;
        if (closedCalls.includes(call) && !off.every((each) => each)) {
          addTo(ofCalls, call, norms);
        }
      }
    },
    holds: () => areFinite && [...ofHeads, ...ofCalls].every((each) => !each || each.sum >= SMALLEST_SAFE * each.count),
  };
}

/** Of so many numbers; undefined for one that nothing was added to. */
type Sum = { sum: number; count: number } | undefined;

function addTo(sums: Sum[], place: number, numbers: ArrayLike<number>): void {
  const { sum, count } = sums[place] ?? { sum: 0, count: 0 };
  sums[place] = { sum: sum + sumOf(numbers), count: count + numbers.length };
}

function sumOf(numbers: ArrayLike<number>): number {
  let sum = 0;
  for (let n = 0; n < numbers.length; n++) {
    sum += numbers[n];
  }
  return sum;
}

/** sum_r w of each sample over all heads. */
export function weightOfSamples({ samples, totals }: WeighedBatch): Float64Array {
  const sums = new Float64Array(samples);
  for (const ofHead of totals) {
    for (let n = 0; n < samples; n++) {
      sums[n] += ofHead[n];
    }
  }
  return sums;
}
