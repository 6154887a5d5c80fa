import type * as tf from '@tensorflow/tfjs-core';
import type { Graph } from '../../network/graph.js';
import { countsNothing, curvedHeads, type Head, withoutSpareLabels } from '../../network/heads.js';
import type { Parameter } from '../../network/layers/operation.js';
import type { Pause } from '../chunks.js';
import { type ClosedFormTraces, closedForm, closedFormOperations } from './closed-form.js';
import { growingSample, type SampleSize } from './growing-sample.js';
import { type PairKernel, pairKernel } from './pair-kernel.js';
import { pairSizing } from './pair-sizes.js';
import { pairStream } from './pair-stream.js';
import type { PairSample } from './sampled-traces.js';
import { type BatchRange, batchRange, type SizedBatch, sizeBatch } from './sized-batch.js';
import { tensorPairs } from './tensor-pairs.js';

/** Measures traces from a few pairs of sample and column, drawn by their curvature. */
export interface PairSampler {
  /** Whether every block is known from the forward pass alone, so that no pair is run. */
  readonly drawsNothing: boolean;
  /**
   * Draws by Pareto sampling from tensors.
   *
   * @param inputs one tensor for each input of the graph, [N, ...]; they stay the caller's.
   * @returns null where so many pairs are wanted that measuring all of them is cheaper.
   */
  ofTensors(inputs: readonly tf.Tensor[], size: SampleSize, pause: Pause): Promise<PairSample | null>;
  /**
   * Draws by priority sampling from batches of unknown number, in one pass. The reservoir holds `capacity` pairs with their
   * input rows: no sample is larger. Default: 8192, or fewer where the rows are so large that the memory budget holds fewer.
   */
  ofStream(capacity?: number): SampledStream;
}

/** Measures batches as they come. */
export interface SampledStream {
  /** The largest sample; it is known once a batch has come. */
  readonly capacity: number;
  /** @param inputs the next batch; it stays the caller's. */
  add(inputs: readonly tf.Tensor[], pause: Pause): Promise<void>;
  /** Runs the kernel on what was drawn. */
  finish(size: SampleSize, pause: Pause): Promise<PairSample>;
  /** Drops what it keeps from batch to batch. */
  dispose(): void;
}

/** A pass over the data, batch by batch, before pairs are drawn. */
export interface ForwardPass {
  /** What it says of the blocks that need no sampling, so far. */
  readonly known: ClosedFormTraces;
  /** Of the sizes of pairs, and of what is known in closed form. */
  readonly range: Pick<BatchRange, 'holds'>;
  /** The next batch, with the sizes of its pairs. */
  sizesOf(inputs: readonly tf.Tensor[], pause: Pause): Promise<SizedBatch>;
  /** Drops what it keeps from batch to batch. */
  dispose(): void;
}

/**
 * Sets up the sampled method. A forward pass gives every pair (n, r) its size, the squares of its column times how sensitive the
 * outputs are to the weights (`pairSizing`); pairs are drawn with probabilities pi in proportion to it; the trace kernel runs on
 * these, each weighted by 1 / pi.
 *
 * The blocks of a last dense layer need no sampling (`closedFormOperations`).
 *
 * @param population where the samples are a random part of the data: how many the data has, once it has been read.
 * @param withLoss whether the losses of the samples are asked for, from the forward pass.
 */
export function pairSampler(
  graph: Graph,
  heads: readonly Head[],
  budgetBytes: number,
  seed: number,
  population?: () => number,
  withLoss = false,
): PairSampler {
  const curved = curvedHeads(heads);
  // Pairs are run without what is there for the loss alone.
  const ofPairs = withoutSpareLabels(graph, heads);
  const closed = closedFormOperations(graph, curved);
  const kernel = pairKernel(ofPairs.graph, curvedHeads(ofPairs.heads), budgetBytes, closed);
  const begin = forwardPasses(graph, heads, budgetBytes, kernel.parameters, population !== undefined, withLoss);
  const drawsNothing = kernel.parameters.every((each) =>
    closed.some((operation) => operation?.parameters.includes(each)),
  );
  return {
    ...drawnPairs(kernel, begin, budgetBytes, seed, population, ofPairs.graph.inputs.length),
    drawsNothing,
  };
}

/** Sets up the forward pass: what is returned begins a pass over the data. */
export function forwardPasses(
  graph: Graph,
  heads: readonly Head[],
  budgetBytes: number,
  parameters: readonly Parameter[],
  isRandomPart: boolean,
  withLoss = false,
): () => ForwardPass {
  const curved = curvedHeads(heads);
  return () => {
    const sizing = pairSizing(graph, heads, budgetBytes, withLoss);
    const known = closedForm(sizing.closed, parameters, isRandomPart);
    const range = batchRange(sizing.closed);
    return {
      known,
      range,
      async sizesOf(inputs, pause) {
        const batch = await sizeBatch(sizing, inputs, pause);
        const outputs = graph.outputs.map((tensor) => inputs[graph.inputs.indexOf(tensor)]);
        const off = await Promise.all(
          curved.map(
            async (head, h) =>
              batch.totals[h].every((w) => w === 0) &&
              (head.hessian.mayVanish === true || (await countsNothing(head, outputs))),
          ),
        );
        range.add(batch, off);
        known.add(batch);
        return batch;
      },
      dispose: sizing.dispose,
    };
  };
}

/**
 * The draws, whatever finds the sizes and the traces of pairs.
 *
 * @param inputsOfPairs how many of the inputs, the first ones, pairs are run on. Default: all.
 */
export function drawnPairs(
  kernel: PairKernel,
  begin: () => ForwardPass,
  budgetBytes: number,
  seed: number,
  population?: () => number,
  inputsOfPairs = Number.POSITIVE_INFINITY,
): Omit<PairSampler, 'drawsNothing'> {
  return {
    async ofTensors(inputs, size, pause) {
      const { known, range, sizesOf, dispose } = begin();
      let batch: SizedBatch;
      try {
        batch = await sizesOf(inputs, pause);
      } finally {
        dispose();
      }
      return range.holds()
        ? growingSample(
            kernel,
            tensorPairs(inputs.slice(0, inputsOfPairs), batch, seed, size.grows, population),
            known,
            size,
            pause,
          )
        : null;
    },

    ofStream(capacity) {
      const { known, range, sizesOf, dispose } = begin();
      const stream = pairStream({ seed, budgetBytes, capacity, population });
      return {
        get capacity() {
          return stream.capacity;
        },
        async add(inputs, pause) {
          const before = stream.samples;
          await stream.add(
            inputs.slice(0, inputsOfPairs),
            () => sizesOf(inputs, (done) => pause(before + done)),
            () => pause(before + inputs[0].shape[0]),
          );
        },
        dispose,
        async finish(size, pause) {
          if (!range.holds()) {
            throw new RangeError(
              "What pairs are drawn by leaves the range of float32: pass method: 'exact', or bring the weights of all layers to " +
                'about the same size.',
            );
          }
          // A source that never gives up always has a sample.
          return (await growingSample(kernel, stream.source(), known, size, pause)) as PairSample;
        },
      };
    },
  };
}
