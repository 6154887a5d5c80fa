import * as tf from '@tensorflow/tfjs-core';
import { squaredNorms } from './backward.js';
import { type Graph, parametersOf } from './graph.js';
import { deltasOfEach, type Head } from './heads.js';
import { maximaFirst } from './maxima-first.js';
import { fitting, gaugedTensors, memoryGauge } from './memory-gauge.js';
import type { Parameter } from './operation.js';
import { planSteps, record } from './tape.js';

/** Consecutive (sample, column) pairs of a list. */
export interface PairRows {
  /** The input row of each pair's sample, one tensor for each input of the graph: [count, ...]. */
  readonly inputs: tf.Tensor[];
  /** The column of each pair, counted over all heads. */
  readonly columns: readonly number[];
}

/** The trace kernel on single pairs. */
export interface PairKernel {
  /** The trained weights, in the order of the graph. */
  readonly parameters: readonly Parameter[];
  /**
   * t_{b,i} = || d(c_i^T z_i) / d theta_b ||^2 of every pair i of a list, chunk by chunk: one array a parameter.
   *
   * @param rows makes the pairs `begin`, ..., `begin + count - 1` of the list; they are disposed here.
   */
  traces(length: number, rows: (begin: number, count: number) => PairRows): AsyncGenerator<Float32Array[], void, void>;
}

/** Sets up the trace kernel for pairs, one backward row each, in chunks that stay under a memory budget. */
export function pairKernel(graph: Graph, heads: readonly Head[], budgetBytes: number): PairKernel {
  const plan = planSteps(maximaFirst(graph));
  const parameters = parametersOf(graph).filter((parameter) => parameter.trainable);
  let chunk = 1;

  /** [parameters, count]. */
  function tracesOf(makeRows: () => PairRows, count: number): tf.Tensor2D {
    const gauge = memoryGauge();
    const { inputs, columns } = makeRows();
    try {
      const tape = record(graph, plan, inputs, gauge);
      try {
        const deltas = gaugedTensors(gauge, () => deltasOfEach(heads, tape.outputs, columns));
        const norms = squaredNorms(graph, plan, tape, deltas, 1, gauge);
        try {
          chunk = fitting(budgetBytes, count, gauge.peak, count === 1);
          return tf.tidy(() => tf.stack(parameters.map((each) => norms.get(each) ?? tf.zeros([count]))) as tf.Tensor2D);
        } finally {
          tf.dispose([...norms.values()]);
        }
      } finally {
        tape.dispose();
      }
    } finally {
      tf.dispose(inputs);
    }
  }

  return {
    parameters,
    async *traces(length, rows) {
      for (let begin = 0; begin < length; ) {
        const count = Math.min(chunk, length - begin);
        const start = begin;
        const found = tracesOf(() => rows(start, count), count);
        const values = (await found.data()) as Float32Array;
        found.dispose();
        yield parameters.map((_, b) => values.subarray(b * count, (b + 1) * count));
        begin += count;
      }
    },
  };
}
