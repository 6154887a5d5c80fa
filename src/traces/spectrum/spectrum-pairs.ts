import type * as tf from '@tensorflow/tfjs-core';
import { type Graph, trainedParameters } from '../../network/graph.js';
import { curvedHeads, type Head, withoutSpareLabels } from '../../network/heads.js';
import type { Between } from '../chunks.js';
import { numbersInTurns } from '../event-loop.js';
import type { PairSource } from '../pairs/growing-sample.js';
import { forwardPasses } from '../pairs/pair-sampler.js';
import { capacityFor, type PairStream, pairStream } from '../pairs/pair-stream.js';
import { tensorPairs } from '../pairs/tensor-pairs.js';
import type { DrawnPairs } from './eigenvalues-of-pairs.js';
import { type PairGrams, pairGrams } from './pair-grams.js';

/** Where no more pairs than this have curvature, all are taken; more are never drawn: their matrix grows with their square. */
export const MOST_PAIRS = 1024;

/** How pairs are drawn. */
export interface SpectrumDraw {
  readonly budgetBytes: number;
  readonly seed: number;
  /** Pairs drawn where there are more than `MOST_PAIRS`. */
  readonly pairs: number;
  /** Where the samples are a random part of the data: how many the data has, once it has been read. */
  readonly population: (() => number) | undefined;
}

/** Draws pairs by their curvature from the data, and finds the scalar products of their gradients. */
export interface SpectrumPairs {
  /** A batch of a dataset, of which pairs are kept with their input rows; it stays the caller's. */
  add(inputs: readonly tf.Tensor[], between: Between): Promise<void>;
  /**
   * The pairs drawn.
   *
   * @param tensors all of the data, where no batches were added.
   * @throws RangeError with one line where it cannot be had.
   */
  grams(
    tensors: readonly tf.Tensor[] | null,
    between: Between,
  ): Promise<{ readonly grams: PairGrams; readonly drawn: DrawnPairs }>;
  /** Drops what it keeps from batch to batch. */
  dispose(): void;
}

export function spectrumPairs(graph: Graph, heads: readonly Head[], draw: SpectrumDraw): SpectrumPairs {
  const { budgetBytes, seed, population } = draw;
  const ofPairs = withoutSpareLabels(graph, heads);
  const wanted = ofPairs.graph.inputs.length;
  const { range, sizesOf, dispose } = forwardPasses(graph, heads, budgetBytes, trainedParameters(graph), false)();
  let stream: PairStream | undefined;

  async function sourceOf(tensors: readonly tf.Tensor[] | null, between: Between): Promise<PairSource> {
    if (!tensors) {
      return (stream as PairStream).source();
    }
    const batch = await sizesOf(tensors, between);
    return tensorPairs(tensors.slice(0, wanted), batch, seed, false, population);
  }

  return {
    async add(inputs, between) {
      stream ??= pairStream({ seed, budgetBytes, capacity: capacityFor(inputs, budgetBytes, MOST_PAIRS), population });
      await stream.add(inputs.slice(0, wanted), () => sizesOf(inputs, between));
    },
    async grams(tensors, between) {
      const source = await sourceOf(tensors, between);
      if (!range.holds('sizes')) {
        throw new RangeError('what pairs are drawn by leaves the range of float32.');
      }
      const drawing = (count: number) => numbersInTurns(source.drawing(count), between);
      const all = await drawing(MOST_PAIRS);
      const isAll = all.inclusion.every((pi) => pi === 1);
      const { indices, inclusion } = isAll ? all : await drawing(Math.min(draw.pairs, MOST_PAIRS));
      if ((source.alike?.(indices) ?? []).length > 1) {
        throw new RangeError('samples of several shapes do not run together: pad them to one length.');
      }
      const rowsOf = (places: readonly number[]) => source.rows(places.map((place) => indices[place]));
      const curved = curvedHeads(ofPairs.heads);
      const grams = await pairGrams(ofPairs.graph, curved, budgetBytes, indices.length, rowsOf, between);
      const sampleOf = indices.map((index) => source.sampleOf(index));
      return { grams, drawn: { samples: source.samples, inclusion, sampleOf, population: population?.() } };
    },
    dispose,
  };
}
