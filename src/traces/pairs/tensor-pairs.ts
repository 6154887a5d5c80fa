import type * as tf from '@tensorflow/tfjs-core';
import { shapesOfSample } from '../chunks.js';
import { paretoSampling } from '../sampling/pareto.js';
import { uniforms } from '../sampling/uniform.js';
import type { PairSource } from './growing-sample.js';
import { gatherRows } from './input-rows.js';
import type { SizedBatch } from './sized-batch.js';

/**
 * The pairs of samples that lie in tensors, drawn by Pareto sampling.
 *
 * All of them at once are measured cheaper without sampling. So the largest sample is of all but one; half of them are the most
 * where a first sample may grow.
 *
 * @param inputs one tensor for each input of the graph, [N, ...], which have to live as long as pairs are drawn.
 * @param grows whether larger samples may follow a first one.
 */
export function tensorPairs(
  inputs: readonly tf.Tensor[],
  { samples, columns, sizes, column }: SizedBatch,
  seed: number,
  grows: boolean,
  population: (() => number) | undefined,
): PairSource {
  const sampleOf = (pair: number) => Math.floor(pair / columns);
  return {
    samples,
    population,
    shapes: shapesOfSample(inputs),
    largest: grows ? Math.floor(sizes.length / 2) : sizes.length - 1,
    allBeyond: true,
    hasPlaces: true,
    drawing: (count) => paretoSampling(sizes, count, uniforms(seed)),
    sampleOf,
    rows: (pairs) => ({
      inputs: gatherRows(inputs, pairs.map(sampleOf)),
      columns: pairs.map((pair) => pair % columns),
      ...(column && { column: (i: number) => column(sampleOf(pairs[i]), pairs[i] % columns) }),
    }),
  };
}
