import * as tf from '@tensorflow/tfjs-core';
import { squaredNorms } from './backward.js';
import { type Graph, parametersOf } from './graph.js';
import { columnsOf, deltasOf, type Head } from './heads.js';
import { fitting, gaugedTidy, memoryGauge } from './memory-gauge.js';
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

/**
 * Sets up the exact trace kernel (DESIGN: the trace kernel),
 *
 *     t_{b,n} = sum_r || d(c_{n,r}^T z_n) / d theta_b ||^2,
 *
 * in chunks of samples and columns that stay under a memory budget. What a chunk costs is measured, not modelled: the first
 * holds one sample and one column. No tensor grows faster than in proportion to its chunk, so that n samples that peaked at
 * p bytes allow n * budget / p samples in the next chunk; the same holds for columns.
 */
export function traceKernel(graph: Graph, heads: readonly Head[], budgetBytes: number): TraceKernel {
  const plan = planSteps(graph);
  const parameters = parametersOf(graph).filter((parameter) => parameter.trainable);
  let samplesAtOnce = 1;
  const columnsAtOnce = heads.map(() => 1);

  /** All columns of one chunk of samples: [parameters, samples] and the number of columns. */
  function traceChunk(inputs: readonly tf.Tensor[], begin: number, samples: number): [tf.Tensor2D, number] {
    const gauge = memoryGauge();
    const slices = inputs.map((x) => tf.slice(x, begin, samples));
    let sums = tf.zeros([parameters.length, samples]) as tf.Tensor2D;
    let columns = 0;
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
            const earlier = sums;
            sums = tf.tidy(() =>
              tf.add(earlier, tf.stack(parameters.map((each) => norms.get(each) ?? tf.zeros([samples])))),
            );
            tf.dispose([earlier, ...norms.values()]);
            first += count;
            if (samples === 1) {
              columnsAtOnce[h] = Math.min(ofHead, fitting(budgetBytes, count, gauge.peak, count === 1));
            }
            peakOfAllColumns = Math.max(peakOfAllColumns, (gauge.peak * columnsAtOnce[h]) / count);
          }
          columns += ofHead;
        }
        samplesAtOnce = fitting(budgetBytes, samples, peakOfAllColumns, false);
        return [sums, columns];
      } finally {
        tape.dispose();
      }
    } catch (error) {
      sums.dispose();
      throw error;
    } finally {
      tf.dispose(slices);
    }
  }

  return {
    parameters,
    async *traces(inputs) {
      const samples = inputs[0].shape[0];
      for (let begin = 0; begin < samples; ) {
        const count = Math.min(samplesAtOnce, samples - begin);
        const [sums, columns] = traceChunk(inputs, begin, count);
        const values = (await sums.data()) as Float32Array;
        sums.dispose();
        const norms = parameters.map((_, i) => values.subarray(i * count, (i + 1) * count));
        yield { samples: count, norms, pairs: count * columns };
        begin += count;
      }
    },
  };
}
