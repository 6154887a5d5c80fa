import * as tf from '@tensorflow/tfjs-core';
import { factoringOperations, squaredNorms, stackedNorms } from '../network/backward.js';
import { type Graph, trainedParameters } from '../network/graph.js';
import { columnsOf, deltasOf, exponentsOf, type Head } from '../network/heads.js';
import type { Operation, Parameter } from '../network/layers/operation.js';
import { maximaFirst } from '../network/maxima-first.js';
import { planSteps, record, type Tape } from '../network/tape.js';
import { gaugedTidy, memoryGauge } from '../tfjs/memory-gauge.js';
import {
  type ChunkSize,
  chunksOf,
  fitting,
  readBehind,
  type StartedChunk,
  samplesOf,
  shapesOfSample,
  valuesOf,
} from './chunks.js';
import { inFloatRange, rowsOf, type ScaledPass, scaledTraces } from './float-range.js';

/** Squared gradient norms of consecutive samples, summed over all columns. */
export interface TraceChunk {
  readonly samples: number;
  /** t_{b,n} for each trained parameter b, in the order of `parameters`, and each sample n of the chunk. */
  readonly norms: readonly Float64Array[];
  /** Backward rows run: samples times columns. */
  readonly pairs: number;
}

/** The exact trace kernel for one model and loss. */
export interface TraceKernel {
  /** The trained weights, in the order of the graph. */
  readonly parameters: readonly Parameter[];
  /**
   * Traces of a batch, chunk by chunk.
   *
   * @param inputs one tensor for each input of the graph, [N, ...]; they stay the caller's.
   * @throws RangeError with one line when one sample and one column alone do not fit the memory budget.
   */
  traces(inputs: readonly tf.Tensor[]): AsyncGenerator<TraceChunk, void, void>;
}

/** A chunk of samples with all of its columns. */
interface SummedChunk extends StartedChunk {
  /** Norms summed over the columns, those of parameters and then those of deltas: [rows, samples]. */
  readonly found: tf.Tensor2D;
  readonly begin: number;
  readonly samples: number;
  readonly columns: number;
  readonly columnsAtOnce: readonly number[];
  /** Highest number of bytes on the way. */
  readonly peak: number;
}

/**
 * Sets up the exact trace kernel,
 *
 *     t_{b,n} = sum_r || d(c_{n,r}^T z_n) / d theta_b ||^2,
 *
 * in chunks of samples and columns that stay under a memory budget. What they cost is measured, not modelled, on one sample
 * that is run in advance, first with one column. No tensor grows faster than in proportion to its chunk, so that one sample
 * that peaks at p bytes allows budget / p of them; the same holds for columns. The size of the chunks is remembered with the
 * weights, and the same for every reading, so that readings of the same are the same to the last digit.
 */
export function traceKernel(graph: Graph, heads: readonly Head[], budgetBytes: number): TraceKernel {
  const plan = planSteps(maximaFirst(graph));
  const parameters = trainedParameters(graph);
  const factoring = factoringOperations(plan);
  const rows = [...parameters, ...factoring];

  /**
   * All columns of one chunk of samples.
   *
   * @param columnsAtOnce for each head. In a trial, which runs one sample, it is set to how many fit.
   */
  function traceChunk(
    inputs: readonly tf.Tensor[],
    begin: number,
    samples: number,
    columnsAtOnce: number[],
    trial: boolean,
  ): SummedChunk {
    const gauge = memoryGauge();
    // All of the input is no chunk of it: nothing to copy.
    const isWhole = inputs.every((x) => x.shape[0] === samples);
    const slices = isWhole ? inputs.map((x) => tf.clone(x)) : samplesOf(inputs, begin, samples);
    let sums: tf.Tensor2D | null = null;
    let columns = 0;
    try {
      const tape = record(graph, plan, slices, gauge);
      let peak = gauge.peak;
      try {
        for (const [h, head] of heads.entries()) {
          const ofHead = tf.tidy(() => columnsOf(head, tape.outputs));
          let peakOfHead = Number.POSITIVE_INFINITY;
          for (let first = 0; first < ofHead; ) {
            const count = Math.min(columnsAtOnce[h], ofHead - first);
            gauge.peak = 0;
            const delta = gaugedTidy(gauge, () => deltasOf(head, tape.outputs, first, count));
            const ofDeltas = new Map<Operation, tf.Tensor>();
            const ofWeights = squaredNorms(graph, plan, tape, new Map([[head.output, delta]]), count, gauge, ofDeltas);
            const norms = new Map<Parameter | Operation, tf.Tensor>([...ofWeights, ...ofDeltas]);
            const earlier: tf.Tensor2D | null = sums;
            try {
              sums = tf.tidy(() => {
                const found = stackedNorms(rows, norms, samples);
                return earlier ? tf.add(earlier, found) : found;
              });
            } finally {
              tf.dispose([...norms.values()]);
            }
            earlier?.dispose();
            first += count;
            if (trial) {
              columnsAtOnce[h] = Math.min(ofHead, fitting(budgetBytes, count, gauge.peak, count === 1));
            }
            // Each of these bounds what all columns that fit at once would take.
            peakOfHead = Math.min(peakOfHead, (gauge.peak * columnsAtOnce[h]) / count);
          }
          peak = Math.max(peak, peakOfHead);
          columns += ofHead;
        }
        return { found: sums ?? tf.zeros([rows.length, samples]), begin, samples, columns, columnsAtOnce, peak };
      } finally {
        tape.dispose();
      }
    } catch (error) {
      sums?.dispose();
      throw error;
    } finally {
      tf.dispose(slices);
    }
  }

  /** What fits the budget at once. */
  function trial(inputs: readonly tf.Tensor[]): ChunkSize {
    const columns = heads.map(() => 1);
    const { found, peak } = traceChunk(inputs, 0, 1, columns, true);
    found.dispose();
    return { samples: fitting(budgetBytes, 1, peak, false), columns };
  }

  /** All columns of one chunk of samples, in block floating point. */
  async function scaledChunk(
    inputs: readonly tf.Tensor[],
    begin: number,
    samples: number,
    columnsAtOnce: readonly number[],
  ) {
    const slices = samplesOf(inputs, begin, samples);
    const passesOf = (tape: Tape) =>
      heads.flatMap((head, h) => {
        const ofHead = tf.tidy(() => columnsOf(head, tape.outputs));
        // What is scaled is there twice.
        const atOnce = Math.ceil(columnsAtOnce[h] / 2);
        return Array.from({ length: Math.ceil(ofHead / atOnce) }, (_, i): ScaledPass => {
          const columns = Math.min(atOnce, ofHead - i * atOnce);
          const deltas: ScaledPass['deltas'] = () => {
            const exponent = exponentsOf(head, tape.outputs);
            const tensor = deltasOf(head, tape.outputs, i * atOnce, columns, exponent);
            return [[head.output, { tensor, exponent }]];
          };
          return { columns, deltas };
        });
      });
    try {
      return await scaledTraces(graph, plan, parameters, slices, passesOf);
    } finally {
      tf.dispose(slices);
    }
  }

  /** Reads the chunks of one pass over these inputs. */
  function reader(inputs: readonly tf.Tensor[]): (chunk: SummedChunk) => Promise<TraceChunk> {
    // Rows of blocks that are known to be 0, and not to have underflowed.
    const quiet = new Set<number>();
    return async ({ found, begin, samples, columns, columnsAtOnce }) => {
      const values = await valuesOf(found);
      const pairs = samples * columns;
      if (inFloatRange(values, samples, quiet)) {
        return { samples, norms: rowsOf(values, parameters.length, samples), pairs };
      }
      const norms = await scaledChunk(inputs, begin, samples, columnsAtOnce);
      norms.forEach((ofBlock, b) => {
        if (ofBlock.every((norm) => norm === 0)) {
          quiet.add(b);
          for (const [i, operation] of factoring.entries()) {
            if (operation.parameters.includes(parameters[b])) {
              quiet.add(parameters.length + i);
            }
          }
        }
      });
      return { samples, norms, pairs };
    };
  }

  return {
    parameters,
    traces(inputs) {
      const chunks = chunksOf({
        name: 'exact',
        plan,
        heads,
        budgetBytes,
        length: inputs[0].shape[0],
        shapes: shapesOfSample(inputs),
        trial: () => trial(inputs),
        start: (begin, count, { columns }) => traceChunk(inputs, begin, count, [...columns], false),
      });
      return readBehind(chunks, reader(inputs));
    },
  };
}
