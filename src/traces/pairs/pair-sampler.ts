import type * as tf from '@tensorflow/tfjs-core';
import type { Graph } from '../../network/graph.js';
import { countsNothing, type Head } from '../../network/heads.js';
import type { Pause } from '../chunks.js';
import { type ClosedFormTraces, closedForm, closedFormCalls } from './closed-form.js';
import { growingSample, type SampleSize } from './growing-sample.js';
import { pairKernel } from './pair-kernel.js';
import { InputActivity, type SizedBatch, sizesOfPairs } from './pair-sizes.js';
import { pairStream } from './pair-stream.js';
import { pairWeighing } from './pair-weights.js';
import type { PairSample } from './sampled-traces.js';
import { tensorPairs } from './tensor-pairs.js';
import { type BatchRange, batchRange, weighBatch, weightOfSamples } from './weighed-batch.js';

/** Measures traces from a few pairs of sample and column, drawn by their curvature. */
export interface PairSampler {
  /**
   * Draws by Pareto sampling from tensors.
   *
   * @param inputs one tensor for each input of the graph, [N, ...]; they stay the caller's.
   * @returns null where so many pairs are wanted that measuring all of them is cheaper, and where what pairs are drawn by leaves
   *   the range of float32.
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
}

/**
 * Sets up the sampled method. A forward pass gives every
 * pair (n, r) its size, the weight w = ||c_{n,r}||^2 times how active the sample's layers are; pairs are drawn with
 * probabilities pi in proportion to it; the trace kernel runs on these, each weighted by 1 / pi.
 *
 * The blocks of a last dense layer need no sampling (`closedFormCalls`).
 *
 * @param population where the samples are a random part of the data: how many the data has, once it has been read.
 */
export function pairSampler(
  graph: Graph,
  heads: readonly Head[],
  budgetBytes: number,
  seed: number,
  population?: () => number,
): PairSampler {
  const weighing = pairWeighing(graph, heads, budgetBytes);
  const kernel = pairKernel(graph, heads, budgetBytes);
  const { calls } = weighing;
  const { parameters } = kernel;
  const closedCalls = closedFormCalls(graph, heads, calls);
  const sampledCalls = calls.flatMap((_, call) => (closedCalls.includes(call) ? [] : [call]));

  /** One pass over the data, batch by batch: what is known in closed form of it, and the sizes of its pairs. */
  function forwardPass(): {
    readonly known: ClosedFormTraces;
    /** Of the weights of pairs, and of what is known in closed form. */
    readonly range: BatchRange;
    sizesOf(inputs: readonly tf.Tensor[], pause: Pause): Promise<SizedBatch>;
  } {
    const known = closedForm(calls, closedCalls, parameters, population !== undefined);
    const activity = new InputActivity(sampledCalls);
    const range = batchRange(closedCalls);
    return {
      known,
      range,
      async sizesOf(inputs, pause) {
        const batch = await weighBatch(weighing, heads.length, inputs, pause);
        const outputs = graph.outputs.map((tensor) => inputs[graph.inputs.indexOf(tensor)]);
        const off = await Promise.all(
          heads.map(async (head, h) => batch.totals[h].every((w) => w === 0) && (await countsNothing(head, outputs))),
        );
        range.add(batch, off);
        known.add(batch);
        activity.add(batch.inputNorms, weightOfSamples(batch));
        return sizesOfPairs(batch, activity);
      },
    };
  }

  return {
    async ofTensors(inputs, size, pause) {
      const { known, range, sizesOf } = forwardPass();
      const batch = await sizesOf(inputs, pause);
      return range.holds()
        ? growingSample(kernel, tensorPairs(inputs, batch, seed, size.grows, population), known, size, pause)
        : null;
    },

    ofStream(capacity) {
      const { known, range, sizesOf } = forwardPass();
      const stream = pairStream({ seed, budgetBytes, capacity, population });
      return {
        get capacity() {
          return stream.capacity;
        },
        async add(inputs, pause) {
          const before = stream.samples;
          await stream.add(inputs, () => sizesOf(inputs, (done) => pause(before + done)));
        },
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
