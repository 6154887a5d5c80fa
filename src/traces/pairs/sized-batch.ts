import type * as tf from '@tensorflow/tfjs-core';
import type { HeadColumns } from '../../network/head-columns.js';
import type { Operation } from '../../network/layers/operation.js';
import type { Pause } from '../chunks.js';
import type { SampleLosses } from '../exact.js';
import { SMALLEST_SAFE } from '../float-range.js';
import type { PairSizes, PairSizing } from './pair-sizes.js';

/** A batch of samples, and by how much its pairs are to be drawn. */
export interface SizedBatch {
  readonly samples: number;
  /** R. */
  readonly columns: number;
  /** x of every pair, sample by sample: [samples * R]. */
  readonly sizes: Float32Array;
  /** A column of a sample, counted over all heads. */
  readonly column?: HeadColumns['column'];
}

/**
 * The forward pass over one batch.
 *
 * @throws RangeError with one line that names a sample for which the network overflows.
 */
export async function sizeBatch(
  sizing: PairSizing,
  inputs: readonly tf.Tensor[],
  pause: Pause,
): Promise<SizedBatch & PairSizes> {
  const samples = inputs[0].shape[0];
  const totals = sizing.closed.map(() => new Float32Array(samples));
  const inputNorms = sizing.closed.map(() => new Float32Array(samples));
  let sizes = new Float32Array(0);
  let columns = 0;
  let done = 0;
  const losses: SampleLosses = { values: new Float32Array(samples), curvature: new Float32Array(samples) };
  let hasLoss = false;
  const chunks: { readonly begin: number; readonly ofHeads: Pick<HeadColumns, 'column'> }[] = [];
  for await (const chunk of sizing.sizes(inputs, () => pause(done))) {
    if (done === 0) {
      columns = chunk.sizes.length / chunk.samples;
      sizes = new Float32Array(samples * columns);
    }
    sizes.set(chunk.sizes, done * columns);
    for (const [all, ofChunk] of [
      [totals, chunk.totals],
      [inputNorms, chunk.inputNorms],
    ] as const) {
      ofChunk.forEach((values, head) => {
        all[head].set(values, done);
      });
    }
    if (chunk.loss) {
      hasLoss = true;
      losses.values.set(chunk.loss.values, done);
      losses.curvature.set(chunk.loss.curvature, done);
    }
    if (chunk.ofHeads) {
      chunks.push({ begin: done, ofHeads: chunk.ofHeads });
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
  const column: HeadColumns['column'] = (sample, place) => {
    const { begin, ofHeads } = chunks.filter((chunk) => chunk.begin <= sample).at(-1) as (typeof chunks)[number];
    return ofHeads.column(sample - begin, place);
  };
  return {
    samples,
    columns,
    sizes,
    totals,
    inputNorms,
    ...(chunks.length > 0 && { column }),
    ...(hasLoss && { loss: losses }),
  };
}

/** Whether float32 holds what pairs are drawn by, and what is known in closed form. */
export interface BatchRange {
  /** @param off the heads that count nothing in this batch (`countsNothing`). */
  add(batch: PairSizes, off: readonly boolean[]): void;
  /**
   * Whether the sums over all batches are what they would be without the limits of float32. What is lost of single samples, of which
   * the network is very sure, does not matter then.
   *
   * @param what `sizes`: of what pairs are drawn by alone. A layer whose inputs are 0 throughout has no closed form to be told from one whose
   *   squares were lost.
   */
  holds(what?: 'sizes'): boolean;
}

/** @param closed the operations whose traces are made of these numbers, one a head. */
export function batchRange(closed: readonly (Operation | null)[]): BatchRange {
  const ofSizes: Sum[] = [];
  const ofHeads: Sum[] = [];
  const ofInputs: Sum[] = [];
  return {
    add({ sizes, totals, inputNorms }, off) {
      for (const head of totals.keys()) {
        if (!off[head]) {
          addTo(ofHeads, head, totals[head]);
          if (closed[head]) {
            addTo(ofInputs, head, inputNorms[head]);
          }
        }
      }
      if (!off.every((each) => each)) {
        addTo(ofSizes, 0, sizes);
      }
    },
    holds: (what) =>
      [...ofSizes, ...ofHeads, ...(what ? [] : ofInputs)].every(
        (each) => !each || (each.sum >= SMALLEST_SAFE * each.count && each.sum < Number.POSITIVE_INFINITY),
      ),
  };
}

/** Of so many numbers; undefined for one that nothing was added to. */
type Sum = { sum: number; count: number } | undefined;

function addTo(sums: Sum[], place: number, numbers: Float32Array): void {
  const { sum, count } = sums[place] ?? { sum: 0, count: 0 };
  sums[place] = { sum: numbers.reduce((total, each) => total + each, sum), count: count + numbers.length };
}
