import * as tf from '@tensorflow/tfjs-core';
import { factoringOperations, squaredNorms, stackedNorms } from '../../network/backward.js';
import { type Graph, trainedParameters } from '../../network/graph.js';
import { deltasOfEach, exponentsOf, type Head } from '../../network/heads.js';
import type { Operation, Parameter } from '../../network/layers/operation.js';
import { maximaFirst } from '../../network/maxima-first.js';
import { planSteps, record, type Tape } from '../../network/tape.js';
import { gaugedTensors, loadOf, memoryGauge } from '../../tfjs/memory-gauge.js';
import { type ChunkedPass, chunksOf, fitting, type StartedChunk, trialOfSamples } from '../chunks.js';
import { inFloatRange, rowsOf, type ScaledPass, scaledTraces } from '../float-range.js';

/** Consecutive (sample, column) pairs of a list. */
export interface PairRows {
  /** The input row of each pair's sample, one tensor for each input of the graph: [count, ...]. */
  readonly inputs: tf.Tensor[];
  /** The column of each pair, counted over all heads. */
  readonly columns: readonly number[];
}

/** Makes the pairs `begin`, ..., `begin + count - 1` of a list, which who asked disposes. */
export type RowsOf = (begin: number, count: number) => PairRows;

/** The trace kernel on single pairs. */
export interface PairKernel {
  /** The trained weights, in the order of the graph. */
  readonly parameters: readonly Parameter[];
  /**
   * t_{b,i} = || d(c_i^T z_i) / d theta_b ||^2 of every pair i of a list, chunk by chunk: one array a parameter.
   *
   * @param shapes of one row of each input.
   */
  traces(
    length: number,
    shapes: readonly (readonly number[])[],
    rows: RowsOf,
  ): AsyncGenerator<Float64Array[], void, void>;
}

/** A chunk of pairs. */
interface PairChunk extends StartedChunk {
  /** Norms of parameters, and then those of deltas: [rows, count]. */
  readonly found: tf.Tensor2D;
  readonly begin: number;
  readonly count: number;
  /** How many pairs fit the budget at once. */
  readonly fit: number;
}

/** Sets up the trace kernel for pairs, one backward row each, in chunks that stay under a memory budget. */
export function pairKernel(graph: Graph, heads: readonly Head[], budgetBytes: number): PairKernel {
  const plan = planSteps(maximaFirst(graph));
  const parameters = trainedParameters(graph);
  const stacked = [...parameters, ...factoringOperations(plan)];

  function traceChunk(rows: RowsOf, begin: number, count: number): PairChunk {
    const gauge = memoryGauge(budgetBytes);
    const { inputs, columns } = rows(begin, count);
    try {
      const tape = record(graph, plan, inputs, gauge);
      try {
        const deltas = gaugedTensors(gauge, () => deltasOfEach(heads, tape.outputs, columns));
        const ofDeltas = new Map<Operation, tf.Tensor>();
        const ofWeights = squaredNorms(graph, plan, tape, deltas, 1, gauge, ofDeltas);
        const norms = new Map<Parameter | Operation, tf.Tensor>([...ofWeights, ...ofDeltas]);
        try {
          const fit = fitting(budgetBytes, count, loadOf(gauge, budgetBytes), count === 1);
          return { found: stackedNorms(stacked, norms, count), begin, count, fit };
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

  /** The same in block floating point. */
  async function scaledChunk(rows: RowsOf, begin: number, count: number): Promise<Float64Array[]> {
    const { inputs, columns } = rows(begin, count);
    const passesOf = ({ outputs }: Tape) => {
      const deltas: ScaledPass['deltas'] = () => {
        const exponents = heads.map((head) => exponentsOf(head, outputs));
        return [...deltasOfEach(heads, outputs, columns, exponents)].map(([output, tensor]) => {
          const exponent = exponents[heads.findIndex((head) => head.output === output)];
          return [output, { tensor, exponent }];
        });
      };
      return [{ columns: 1, deltas }];
    };
    try {
      return await scaledTraces(graph, plan, parameters, inputs, passesOf);
    } finally {
      tf.dispose(inputs);
    }
  }

  return {
    parameters,
    traces(length, shapes, rows) {
      const start = (begin: number, count: number) => traceChunk(rows, begin, count);
      const pass: ChunkedPass<PairChunk, Float64Array[]> = {
        name: 'pairs',
        plan,
        heads,
        budgetBytes,
        length,
        shapes,
        start,
        trial: () => trialOfSamples(length, start),
        read: ({ begin, count }, values) =>
          inFloatRange(values, count, new Set())
            ? rowsOf(values, parameters.length, count)
            : scaledChunk(rows, begin, count),
      };
      return chunksOf(pass);
    },
  };
}
