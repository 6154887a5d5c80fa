import * as tf from '@tensorflow/tfjs-core';
import { squaredNorms } from './backward.js';
import { type Graph, parametersOf } from './graph.js';
import { columnsOf, deltasOf, type Head } from './heads.js';
import { type ChunkSize, fitting, gaugedTidy, memoryGauge, rememberedChunks } from './memory-gauge.js';
import type { Parameter } from './operation.js';
import { planSteps, record } from './tape.js';

/** Squared gradient norms of consecutive samples, summed over all columns. */
export interface TraceChunk {
  readonly samples: number;
  /** t_{b,n} for each trained parameter b, in the order of `parameters`, and each sample n of the chunk. */
  readonly norms: readonly Float32Array[];
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
   * @throws RangeError when one sample and one column alone do not fit the memory budget.
   */
  traces(inputs: readonly tf.Tensor[]): AsyncGenerator<TraceChunk, void, void>;
}

/** A chunk whose norms may still be on their way. */
interface StartedChunk {
  /** [parameters, samples]. */
  readonly sums: tf.Tensor2D;
  readonly count: number;
  readonly columns: number;
}

/**
 * Sets up the exact trace kernel (DESIGN: the trace kernel),
 *
 *     t_{b,n} = sum_r || d(c_{n,r}^T z_n) / d theta_b ||^2,
 *
 * in chunks of samples and columns that stay under a memory budget. What a chunk costs is measured, not modelled: the first
 * holds one sample and one column. No tensor grows faster than in proportion to its chunk, so that n samples that peaked at
 * p bytes allow n * budget / p samples in the next chunk; the same holds for columns. What fitted is remembered with the
 * weights, for the next reading.
 */
export function traceKernel(graph: Graph, heads: readonly Head[], budgetBytes: number): TraceKernel {
  const plan = planSteps(graph);
  const parameters = parametersOf(graph).filter((parameter) => parameter.trainable);
  let chunk: ChunkSize = { samples: 1, columns: heads.map(() => 1) };

  /** All columns of one chunk of samples: [parameters, samples] and the number of columns. */
  function traceChunk(inputs: readonly tf.Tensor[], begin: number, samples: number): [tf.Tensor2D, number] {
    const gauge = memoryGauge();
    const slices = inputs.map((x) => (samples === x.shape[0] ? tf.clone(x) : tf.slice(x, begin, samples)));
    let sums: tf.Tensor2D | null = null;
    let columns = 0;
    const columnsAtOnce = [...chunk.columns];
    try {
      const tape = record(graph, plan, slices, gauge);
      let peakOfAllColumns = gauge.peak;
      try {
        for (const [h, head] of heads.entries()) {
          const ofHead = tf.tidy(() => columnsOf(head, tape.outputs));
          for (let first = 0; first < ofHead; ) {
            const count = Math.min(columnsAtOnce[h], ofHead - first);
            gauge.peak = 0;
            const delta = gaugedTidy(gauge, () => deltasOf(head, tape.outputs, first, count));
            const norms = squaredNorms(graph, plan, tape, new Map([[head.output, delta]]), count, gauge);
            const earlier: tf.Tensor2D | null = sums;
            sums = tf.tidy(() => {
              const found = tf.stack(parameters.map((each) => norms.get(each) ?? tf.zeros([samples])));
              return (earlier ? tf.add(earlier, found) : found) as tf.Tensor2D;
            });
            tf.dispose([...(earlier ? [earlier] : []), ...norms.values()]);
            first += count;
            if (samples === 1) {
              columnsAtOnce[h] = Math.min(ofHead, fitting(budgetBytes, count, gauge.peak, count === 1));
            }
            peakOfAllColumns = Math.max(peakOfAllColumns, (gauge.peak * columnsAtOnce[h]) / count);
          }
          columns += ofHead;
        }
        chunk = { samples: fitting(budgetBytes, samples, peakOfAllColumns, false), columns: columnsAtOnce };
        return [sums ?? tf.zeros([parameters.length, samples]), columns];
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

  /** What a chunk's memory depends on. */
  function kindOf(inputs: readonly tf.Tensor[]): string {
    const steps = plan.map(({ carriesDelta, leavesNorms }) => [carriesDelta, leavesNorms]);
    const shapes = inputs.map(({ shape }) => shape.slice(1));
    return JSON.stringify([tf.getBackend(), budgetBytes, shapes, heads.map(({ output }) => output), steps]);
  }

  return {
    parameters,
    async *traces(inputs) {
      const samples = inputs[0].shape[0];
      const remembered = rememberedChunks(parameters[0]?.variable);
      const kind = kindOf(inputs);
      chunk = remembered.get(kind) ?? chunk;
      // A chunk is read when the next has been started, so that a GPU is not left waiting in between.
      let started: StartedChunk | null = null;
      const readAndDispose = async ({ sums, count, columns }: StartedChunk): Promise<TraceChunk> => {
        const values = (await sums.data()) as Float32Array;
        sums.dispose();
        const norms = parameters.map((_, i) => values.subarray(i * count, (i + 1) * count));
        return { samples: count, norms, pairs: count * columns };
      };
      try {
        for (let begin = 0; begin < samples; ) {
          const count = Math.min(chunk.samples, samples - begin);
          const [sums, columns] = traceChunk(inputs, begin, count);
          const earlier: StartedChunk | null = started;
          started = { sums, count, columns };
          begin += count;
          remembered.set(kind, chunk);
          if (earlier) {
            yield await readAndDispose(earlier);
          }
        }
        if (started) {
          yield await readAndDispose(started);
        }
      } finally {
        started?.sums.dispose();
      }
    },
  };
}
