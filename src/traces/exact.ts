import * as tf from '@tensorflow/tfjs-core';
import { factoringOperations, sendingNormsBack, stackedNorms } from '../network/backward.js';
import { type Graph, trainedParameters } from '../network/graph.js';
import {
  columnsOf,
  curvedHeads,
  deltasByColumn,
  deltasOf,
  exponentsOf,
  type Head,
  lossesOfSamples,
  zeroWhereFinite,
} from '../network/heads.js';
import type { Operation, Parameter } from '../network/layers/operation.js';
import { maximaFirst } from '../network/maxima-first.js';
import { planSteps, recording, type Tape } from '../network/tape.js';
import { isSynchronous } from '../tfjs/backend.js';
import { gaugedTidy, loadOf, type MemoryGauge, memoryGauge, resetGauge } from '../tfjs/memory-gauge.js';
import {
  type Between,
  type ChunkedPass,
  type ChunkSize,
  chunksOf,
  fitting,
  fittingWork,
  onSamplesForTrial,
  type StartedChunk,
  samplesOf,
  shapesOfSample,
  twiceTried,
} from './chunks.js';
import { inTurns } from './event-loop.js';
import { inFloatRange, outputsNotFinite, rowsOf, type ScaledPass, scaledTraces } from './float-range.js';

/** Squared gradient norms of consecutive samples, summed over all columns. */
export interface TraceChunk {
  readonly samples: number;
  /** t_{b,n} for each trained parameter b, in the order of `parameters`, and each sample n of the chunk. */
  readonly norms: readonly Float64Array[];
  /** Backward rows run: samples times columns. */
  readonly pairs: number;
  /** The loss of each sample, and about the trace of its output Hessian. Absent where nobody asked. */
  readonly loss?: SampleLosses;
}

/** Of consecutive samples, all heads added up. */
export interface SampleLosses {
  /** l_n; not a number where a loss or its labels are not known. */
  readonly values: Float32Array;
  /** About the trace of the output Hessian, to a factor of 2 where it counts. */
  readonly curvature: Float32Array;
}

/** The exact trace kernel for one model and loss. */
export interface TraceKernel {
  /** The trained weights, in the order of the graph. */
  readonly parameters: readonly Parameter[];
  /**
   * Traces of a batch, chunk by chunk.
   *
   * @param inputs one tensor for each input of the graph, [N, ...]; they stay the caller's.
   * @param between called between two pieces of a chunk, with the backward rows run so far: the place to yield to the event loop. What it
   *   throws ends the pass.
   * @throws RangeError with one line when one sample and one column alone do not fit the memory budget.
   */
  traces(
    inputs: readonly tf.Tensor[],
    between?: (rows: number) => Promise<void>,
  ): AsyncGenerator<TraceChunk, void, void>;
}

/** A chunk of samples with all of its columns. */
interface SummedChunk extends StartedChunk {
  /**
   * Norms summed over the columns, those of parameters and then those of deltas, then losses where asked for, and what
   * `zeroWhereFinite` gives where that counts: [rows, samples].
   */
  readonly found: tf.Tensor2D;
  readonly begin: number;
  readonly samples: number;
  readonly columns: number;
  readonly columnsAtOnce: readonly number[];
  /** How long each step took: see `fittingWork`. */
  readonly steps: readonly number[];
}

/**
 * Sets up the exact trace kernel,
 *
 *     t_{b,n} = sum_r || d(c_{n,r}^T z_n) / d theta_b ||^2,
 *
 * in chunks of samples, and pieces of their columns, that stay under a memory budget and do not keep the event loop waiting
 * (`fittingWork`), as far as smaller ones exist. What they cost is tried, not modelled, on one sample that is run in advance, first with
 * one column, and on a few. No tensor grows faster than in proportion to its chunk, so that one sample that peaks at p bytes allows
 * budget / p of them; the same holds for columns. The size of the chunks is remembered with the weights, and the same for every
 * reading, so that readings of the same are the same to the last digit.
 *
 * @param withLoss whether the losses of the samples are asked for, from the same forward pass.
 */
export function traceKernel(
  graph: Graph,
  allHeads: readonly Head[],
  budgetBytes: number,
  { withLoss = false }: { readonly withLoss?: boolean } = {},
): TraceKernel {
  // Those without curvature have nothing to send backward.
  const heads = curvedHeads(allHeads);
  /** Whether zeros may be what they are, where the losses say so; a factor of the user's may be that small, too. */
  const mayVanish = heads.every(({ hessian }) => hessian.mayVanish && hessian.name !== 'factor');
  /** Whether outputs that are not finite might be taken for flat. */
  const looksAtOutputs = heads.length === 0 || heads.some(({ hessian }) => hessian.mayVanish);
  const plan = planSteps(maximaFirst(graph));
  const parameters = trainedParameters(graph);
  const factoring = factoringOperations(plan);
  const measured = [...parameters, ...factoring];

  /** Runs the forward pass on consecutive samples, and what there is to do with it. */
  async function withTape<T>(
    inputs: readonly tf.Tensor[],
    begin: number,
    samples: number,
    between: Between,
    run: (tape: Tape, gauge: MemoryGauge) => Promise<T>,
  ): Promise<T> {
    const gauge = memoryGauge(budgetBytes);
    // All of the input is no chunk of it: nothing to copy.
    const isWhole = inputs.every((x) => x.shape[0] === samples);
    const slices = isWhole ? inputs.map((x) => tf.clone(x)) : samplesOf(inputs, begin, samples);
    try {
      const tape = await inTurns(graph, recording(graph, plan, slices, gauge), between);
      try {
        return await run(tape, gauge);
      } finally {
        tape.dispose();
      }
    } finally {
      tf.dispose(slices);
    }
  }

  /** Norms of a few columns, summed over them, those of parameters and then those of deltas: [rows, samples]. */
  async function normsOf(
    tape: Tape,
    head: Head,
    first: number,
    count: number,
    gauge: MemoryGauge,
    between: Between,
  ): Promise<tf.Tensor2D> {
    const delta = gaugedTidy(gauge, () => deltasByColumn(head, tape.outputs, first, count));
    const ofDeltas = new Map<Operation, tf.Tensor>();
    const outputDeltas = new Map([[head.output, delta]]);
    const ofWeights = await inTurns(
      graph,
      sendingNormsBack(graph, plan, tape, outputDeltas, count, gauge, ofDeltas),
      between,
    );
    const norms = new Map<Parameter | Operation, tf.Tensor>([...ofWeights, ...ofDeltas]);
    try {
      return stackedNorms(measured, norms, tape.outputs[head.output].shape[0]);
    } finally {
      tf.dispose([...norms.values()]);
    }
  }

  /**
   * All columns of one chunk of samples, piece by piece.
   *
   * @param ran told the backward rows of every piece.
   */
  function traceChunk(
    inputs: readonly tf.Tensor[],
    begin: number,
    samples: number,
    columnsAtOnce: readonly number[],
    between: Between,
    ran: (rows: number) => void,
  ): Promise<SummedChunk> {
    return withTape(inputs, begin, samples, between, async (tape, gauge) => {
      const columnsOfHeads = heads.map((head) => tf.tidy(() => columnsOf(head, tape.outputs)));
      const columns = columnsOfHeads.reduce((sum, ofHead) => sum + ofHead, 0);
      let sums: tf.Tensor2D | null = null;
      try {
        for (const [h, head] of heads.entries()) {
          for (let first = 0; first < columnsOfHeads[h]; ) {
            const count = Math.min(columnsAtOnce[h], columnsOfHeads[h] - first);
            if (sums) {
              await between();
              // The tape is older than the wait.
              graph.checkUnmoved?.();
            }
            const found = await normsOf(tape, head, first, count, gauge, between);
            const earlier: tf.Tensor2D | null = sums;
            sums = earlier ? tf.add(earlier, found) : found;
            if (earlier) {
              tf.dispose([earlier, found]);
            }
            first += count;
            ran(samples * count);
          }
        }
        const norms = sums ?? tf.zeros<tf.Rank.R2>([measured.length, samples]);
        sums = norms;
        if (!withLoss && !looksAtOutputs) {
          return { found: norms, begin, samples, columns, columnsAtOnce, steps: gauge.steps };
        }
        const found = gaugedTidy(gauge, () => {
          const losses = withLoss ? [lossesOfSamples(allHeads, tape.outputs)] : [];
          const zeros = looksAtOutputs ? [tf.transpose(zeroWhereFinite(allHeads, tape.outputs))] : [];
          return tf.concat2d([norms, ...losses, ...zeros], 0);
        });
        norms.dispose();
        return { found, begin, samples, columns, columnsAtOnce, steps: gauge.steps };
      } catch (error) {
        sums?.dispose();
        throw error;
      }
    });
  }

  /** How many columns of one sample make a piece, for each head, and how many samples a chunk. */
  async function trial(inputs: readonly tf.Tensor[], between: Between): Promise<ChunkSize> {
    const { columns, fit } = await withTape(inputs, 0, 1, between, async (tape, gauge) => {
      const columns: number[] = [];
      let isWhole = true;
      let ofSample = loadOf(gauge, budgetBytes);
      for (const head of heads) {
        const ofHead = tf.tidy(() => columnsOf(head, tape.outputs));
        const { count, atOnce, load } = await trialOfColumns(tape, head, ofHead, gauge, between);
        columns.push(atOnce);
        isWhole &&= atOnce === ofHead;
        ofSample = Math.max(ofSample, (load * atOnce) / count);
      }
      return { columns, fit: isWhole ? fitting(budgetBytes, 1, ofSample, false) : 1 };
    });
    if (fit === 1 || !isSynchronous()) {
      return { samples: fit, columns };
    }
    const samples = await twiceTried((count) =>
      onSamplesForTrial(inputs, count, async (some) => {
        const { found, steps } = await traceChunk(some, 0, count, columns, between, () => {});
        found.dispose();
        return { count, fit, steps };
      }),
    );
    return { samples, columns };
  }

  /** One column of a sample, then as many more as fit. */
  async function trialOfColumns(tape: Tape, head: Head, ofHead: number, gauge: MemoryGauge, between: Between) {
    const run = async (count: number) => {
      await between();
      resetGauge(gauge);
      const found = await normsOf(tape, head, ofHead - count, count, gauge, between);
      found.dispose();
      return { count, steps: [...gauge.steps], load: loadOf(gauge, budgetBytes) };
    };
    const one = await run(1);
    const most = Math.min(fitting(budgetBytes, 1, one.load, true), ofHead - 1);
    const second = Math.min(most, Math.max(2, fittingWork(one)));
    const few = second > 1 ? await run(second) : one;
    const { count, load } = few;
    const inMemory = fitting(budgetBytes, count, load, count === 1);
    return { count, load, atOnce: Math.min(ofHead, inMemory, fittingWork(one, few)) };
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
  function reader(inputs: readonly tf.Tensor[]): ChunkedPass<SummedChunk, TraceChunk>['read'] {
    // Rows of blocks that are known to be 0, and not to have underflowed.
    const quiet = new Set<number>();
    return async ({ begin, samples, columns, columnsAtOnce }, found) => {
      const pairs = samples * columns;
      const size = measured.length * samples;
      const values = found.subarray(0, size);
      const loss = withLoss
        ? {
            loss: {
              values: found.slice(size, size + samples),
              curvature: found.slice(size + samples, size + 2 * samples),
            },
          }
        : undefined;
      if (looksAtOutputs && found.subarray(-samples).some((zero) => zero !== 0)) {
        throw outputsNotFinite();
      }
      // Where no loss is curved here, zeros are what they are.
      const isFlat = mayVanish && loss?.loss.curvature.every((each) => each === 0);
      if (isFlat || heads.length === 0 || inFloatRange(values, samples, quiet)) {
        return { samples, norms: rowsOf(values, parameters.length, samples), pairs, ...loss };
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
      return { samples, norms, pairs, ...loss };
    };
  }

  return {
    parameters,
    traces(inputs, between = async () => {}) {
      let rows = 0;
      /** By the sample that a chunk begins with: it may be run again. */
      const rowsBefore = new Map<number, number>();
      const pass: ChunkedPass<SummedChunk, TraceChunk> = {
        name: 'exact',
        plan,
        heads,
        budgetBytes,
        length: inputs[0].shape[0],
        shapes: shapesOfSample(inputs),
        trial: (between) => trial(inputs, between),
        start(begin, count, { columns }, between) {
          rows = rowsBefore.get(begin) ?? rows;
          rowsBefore.set(begin, rows);
          return traceChunk(inputs, begin, count, columns, between, (ran) => {
            rows += ran;
          });
        },
        read: reader(inputs),
      };
      return chunksOf(pass, () => between(rows));
    },
  };
}
