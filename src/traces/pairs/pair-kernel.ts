import * as tf from '@tensorflow/tfjs-core';
import { factoringOperations, sendingNormsBack, stackedNorms } from '../../network/backward.js';
import { type Graph, trainedParameters } from '../../network/graph.js';
import { deltasOfColumns, type HeadColumn } from '../../network/head-columns.js';
import { deltasOfEach, exponentsOf, type Head } from '../../network/heads.js';
import type { CallWithDelta, Operation, Parameter } from '../../network/layers/operation.js';
import { maximaFirst } from '../../network/maxima-first.js';
import { planSteps, recording, type Tape } from '../../network/tape.js';
import { gaugedTensors, gaugedTidy, loadOf, type MemoryGauge, memoryGauge } from '../../tfjs/memory-gauge.js';
import { type Between, type ChunkedPass, chunksOf, fitting, type StartedChunk, trialOfSamples } from '../chunks.js';
import { inTurns } from '../event-loop.js';
import { inFloatRange, type ScaledPass, scaledTraces } from '../float-range.js';
import { squaredNormsOfRows } from './vector-norms.js';

/** Consecutive (sample, column) pairs of a list. */
export interface PairRows {
  /** The input row of each pair's sample, one tensor for each input of the graph: [count, ...]. */
  readonly inputs: tf.Tensor[];
  /** The column of each pair, counted over all heads. */
  readonly columns: readonly number[];
  /** The column of pair i of these itself, where the outputs have been read. */
  readonly column?: (i: number) => HeadColumn;
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
   * @param between called between two layers where a turn of the event loop is due. What it throws ends the pass.
   */
  traces(
    length: number,
    shapes: readonly (readonly number[])[],
    rows: RowsOf,
    between?: Between,
  ): AsyncGenerator<Float64Array[], void, void>;
}

/** A chunk of pairs. */
interface PairChunk extends StartedChunk {
  /** The numbers of `rows`, one row each: [rows, count]. */
  readonly found: tf.Tensor2D;
  readonly rows: readonly NormRow[];
  readonly begin: number;
  readonly count: number;
  /** How many pairs fit the budget at once. */
  readonly fit: number;
  /** How long each step took: see `fittingWork`. */
  readonly steps: readonly number[];
}

/**
 * What the norms in a row are of: a parameter, an operation's deltas or, where input and delta of a layer are vectors, one of the two
 * factors that its norms are made of.
 */
type NormRow = Parameter | Operation | { readonly of: Operation; readonly factor: 'input' | 'delta' };

/** A layer's input and delta, as vectors. */
interface VectorFactors {
  readonly operation: Operation;
  readonly input: tf.Tensor2D;
  readonly delta: tf.Tensor2D;
}

/**
 * Sets up the trace kernel for pairs, one backward row each, in chunks that stay under a memory budget.
 *
 * @param closed operations whose norms nobody asks for, since they are known: those of `closedFormOperations`.
 */
export function pairKernel(
  graph: Graph,
  heads: readonly Head[],
  budgetBytes: number,
  closed: readonly (Operation | null)[] = [],
): PairKernel {
  const isClosed = (operation: Operation) => closed.includes(operation);
  const ordered = maximaFirst(graph);
  const plan = planSteps(ordered);
  const asked = plan.map((each) => {
    const { operation } = each.step;
    return {
      ...each,
      step: operation.singly ? { ...each.step, operation: { ...operation, ...operation.singly } } : each.step,
      leavesNorms: each.leavesNorms && !isClosed(operation),
    };
  });
  // What is closed makes z, which nothing else reads.
  const withoutOutputs = asked.map((each) =>
    isClosed(each.step.operation)
      ? { ...each, step: { ...each.step, operation: outputless(each.step.operation) } }
      : each,
  );
  const parameters = trainedParameters(graph);
  const unknown = new Set(
    parameters.filter((each) => !closed.some((operation) => operation?.parameters.includes(each))),
  );
  const stacked = [...unknown, ...factoringOperations(asked)];

  async function traceChunk(rows: RowsOf, begin: number, count: number, between: Between): Promise<PairChunk> {
    const gauge = memoryGauge(budgetBytes);
    const { inputs, columns, column } = rows(begin, count);
    const vectors: VectorFactors[] = [];
    /** Their norms come at once. */
    const takes = (operation: Operation, [{ saved, delta }, ...others]: readonly CallWithDelta[]) => {
      const [input] = saved;
      const isOfVectors =
        operation.squaredNormsOfVector && others.length === 0 && input?.rank === 2 && delta.rank === 2;
      if (isOfVectors) {
        vectors.push({
          operation,
          input: input as tf.Tensor2D,
          delta: tf.keep(tf.clone(delta)) as tf.Tensor2D,
        });
      }
      return isOfVectors === true;
    };
    try {
      const known = column && gaugedDeltas(gauge, () => deltasOfColumns(heads, count, column));
      const forward = recording(ordered, known ? withoutOutputs : asked, inputs, gauge);
      const tape = await inTurns(ordered, forward, between).catch((error) => {
        tf.dispose([...(known?.values() ?? [])]);
        throw error;
      });
      try {
        const deltas = known ?? gaugedTensors(gauge, () => deltasOfEach(heads, tape.outputs, columns));
        const ofDeltas = new Map<Operation, tf.Tensor>();
        const walk = sendingNormsBack(ordered, asked, tape, deltas, 1, gauge, ofDeltas, takes);
        const ofWeights = await inTurns(ordered, walk, between);
        const norms = new Map<Parameter | Operation, tf.Tensor>([...ofWeights, ...ofDeltas]);
        try {
          const taken = new Set(vectors.flatMap(({ operation }) => [operation, ...operation.parameters]));
          const others = stacked.filter((each) => !taken.has(each));
          const found = gaugedTidy(gauge, () => {
            const parts = others.length > 0 ? [stackedNorms(others, norms, count)] : [];
            if (vectors.length > 0) {
              parts.push(squaredNormsOfRows(vectors.flatMap(({ input, delta }) => [input, delta])));
            }
            return parts.length === 1 ? parts[0] : tf.concat2d(parts, 0);
          });
          const factors = vectors.flatMap(({ operation: of }): NormRow[] => [
            { of, factor: 'input' },
            { of, factor: 'delta' },
          ]);
          try {
            const fit = fitting(budgetBytes, count, loadOf(gauge, budgetBytes), count === 1);
            return { found, rows: [...others, ...factors], begin, count, fit, steps: gauge.steps };
          } catch (error) {
            found.dispose();
            throw error;
          }
        } finally {
          tf.dispose([...norms.values()]);
        }
      } finally {
        tape.dispose();
      }
    } finally {
      tf.dispose([...inputs, ...vectors.map(({ delta }) => delta)]);
    }
  }

  /** Squared norms of each parameter, from those that were read; zeros for what is known. */
  function normsOf(values: Float32Array, rows: readonly NormRow[], count: number): Float64Array[] {
    const rowAt = (place: number) => values.subarray(place * count, (place + 1) * count);
    const found = parameters.map(() => new Float64Array(count));
    rows.forEach((row, place) => {
      if ('of' in row) {
        if (row.factor === 'input') {
          const [inputs, deltas] = [rowAt(place), rowAt(place + 1)];
          const places = row.of.parameters.map((parameter) => parameters.indexOf(parameter));
          for (let i = 0; i < count; i++) {
            row.of.squaredNormsOfVector?.(inputs[i], deltas[i]).forEach((norm, p) => {
              found[places[p]]?.fill(norm, i, i + 1);
            });
          }
        }
      } else if ('variable' in row) {
        found[parameters.indexOf(row)].set(rowAt(place));
      }
    });
    return found;
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
    traces(length, shapes, rows, between) {
      const pass: ChunkedPass<PairChunk, Float64Array[]> = {
        name: 'pairs',
        plan,
        heads,
        budgetBytes,
        length,
        shapes,
        start: (begin, count, _, between) => traceChunk(rows, begin, count, between),
        trial: (between) => trialOfSamples(length, (begin, count) => traceChunk(rows, begin, count, between)),
        read: ({ rows: meanings, begin, count }, values) =>
          inFloatRange(values, count, new Set()) ? normsOf(values, meanings, count) : scaledChunk(rows, begin, count),
      };
      return chunksOf(pass, between);
    },
  };
}

/** The same layer, its output left out: what stands for it is the input. */
function outputless(operation: Operation): Operation {
  return { ...operation, forward: ([x]) => ({ output: tf.clone(x), saved: [] }) };
}

/** Tensors by number with the gauge on; null for none. */
function gaugedDeltas(
  gauge: MemoryGauge,
  deltasOf: () => Map<number, tf.Tensor> | null,
): Map<number, tf.Tensor> | null {
  let some = true;
  const found = gaugedTensors(gauge, () => {
    const deltas = deltasOf();
    some = deltas !== null;
    return deltas ?? new Map<number, tf.Tensor>();
  });
  return some ? found : null;
}
