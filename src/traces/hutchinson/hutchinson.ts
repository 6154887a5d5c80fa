import * as tf from '@tensorflow/tfjs-core';
import type { Graph } from '../../network/graph.js';
import { type Head, residualsOf } from '../../network/heads.js';
import type { Parameter } from '../../network/layers/operation.js';
import { planSteps, recording, type Tape } from '../../network/tape.js';
import { gaugedTensors, loadOf, memoryGauge } from '../../tfjs/memory-gauge.js';
import { variableOf } from '../../tfjs/weights.js';
import {
  type Between,
  fitting,
  fittingWork,
  type Pause,
  samplesOf,
  secondTrial,
  type Tried,
  valuesOf,
} from '../chunks.js';
import { inTurns } from '../event-loop.js';
import { traceKernel } from '../exact.js';
import { checkFloatRange } from '../float-range.js';
import { type LossSums, TraceSums } from '../trace-sums.js';
import { curvedParameters } from './curved-parameters.js';
import { holdPieces } from './held-pieces.js';
import { probeQuotient, probeSigns } from './probe.js';
import { probeSteps } from './probe-steps.js';
import { probeSums } from './probe-sums.js';
import { gradientAbove, rememberInputs } from './weight-gradients.js';

export interface ProbeOptions {
  /** Number of random probes for each weight tensor. */
  readonly probes: number;
  /** Chooses the probes: a safe integer. */
  readonly seed: number;
  /** Upper bound of the extra tensor memory. */
  readonly budgetBytes: number;
  /** Whether the losses of the samples are asked for. Default false. */
  readonly withLoss?: boolean;
}

/** Traces of the Hessian, estimated batch by batch. */
export interface HutchinsonTraces {
  /** The trained weights, in the order of the graph. */
  readonly parameters: readonly Parameter[];
  /** Those of them whose traces are estimated; the others' are exact. */
  readonly curved: readonly Parameter[];
  readonly samples: number;
  /** Backward rows run: those of the Gauss-Newton part, and two for each sample, probe and curved weight tensor. */
  readonly pairs: number;
  /** T_b of the Hessian for each of `parameters`. May be negative. */
  readonly traces: readonly number[];
  /** The part of `traces` that is exact: T_b of the Gauss-Newton matrix. */
  readonly gaussNewton: readonly number[];
  /** Means over the samples, where their losses were asked for. */
  readonly meanLoss: LossSums | undefined;
  /** Standard error of sum_b factors_b T_b over the choice of the probes; Infinity for a single one. */
  standardError(factors: readonly number[]): number;
  /**
   * Measures a batch. Before anything is awaited the weights are as they were, bit by bit: training that goes on in between
   * is not disturbed (but the graph's `checkUnmoved` may then end the measurement).
   *
   * @param inputs one tensor for each input of the graph, labels included, [N, ...]; they stay the caller's.
   * @param pause called after every chunk and probe with the samples done; what it throws ends the measurement.
   * @throws RangeError with one line when one sample does not fit the memory budget, and where traces leave the range in which
   *   float32 keeps its digits.
   */
  add(inputs: readonly tf.Tensor[], pause: Pause): Promise<void>;
}

/**
 * Trace of each diagonal block of the Hessian of the mean loss, for networks where Gauss-Newton is not enough. With
 * r_n = d l_n / d z_n the block b has the Gauss-Newton trace and that of the curvature of the network itself,
 *
 *     T_b = T_b^GN + tr d2 f / d theta_b^2,     f = (1/N) sum_n <r_n, z_n>  with r_n held fixed,
 *
 * z being the outputs of all heads.
 *
 * The first part is exact (`traceKernel`). The second is 0 where z is piecewise linear in theta_b (`curvedParameters`): such
 * blocks have no error. For the others it is estimated by Hutchinson's method from gradients g of f, with random signs v,
 *
 *     q_b = v^T (g_b(theta_b + h v) - g_b(theta_b - h v)) / (2 h) = v^T H_b v + O(h^2),     E[v^T H_b v] = tr H_b,
 *
 * since E[v v^T] is the identity. `labels` enter by r alone.
 *
 * One weight tensor is moved at a time. Moving all at once, v_b^T (H v)_b, takes one pair of gradients for all blocks and
 * has the same expectation, E[v_b v_c^T] being 0, but the noise of all blocks H_bc off the diagonal. The variance of the sum was
 * then 5 to 9 times as large in trained networks with 6 to 16 blocks, which eats the saving up, and 15 to 10,000 times
 * in untrained ones. By itself, a bias in front of an elementwise activation has no error at all: its block is diagonal.
 *
 * Kinks: a difference of gradients that steps over the kink of a relu takes in the jump of the gradient, and over many samples
 * that adds the curvature of a smoothed kink, however small h is. The Hessian has no such term. So f is taken along the
 * linear pieces that relu, max pooling and the like stand on at theta (`holdPieces`). (In a relu layer called twice, 300 samples,
 * 30 probes, the difference over the kinks gave 1.04 +- 0.08 for a bias whose trace is 0.80, and 12 times the error for the
 * kernel.) PReLU's kink stays, and so does what elu and selu have at 0, a jump of the second derivative.
 *
 * Source: Hutchinson, "A stochastic estimator of the trace of the influence matrix for Laplacian smoothing splines",
 * Communications in Statistics 18 (1989), 1059-1076.
 */
export function hutchinsonTraces(
  graph: Graph,
  heads: readonly Head[],
  { probes, seed, budgetBytes, withLoss = false }: ProbeOptions,
): HutchinsonTraces {
  const kernel = traceKernel(graph, heads, budgetBytes, { withLoss });
  const { parameters } = kernel;
  const curved = curvedParameters(graph);
  const places = curved.map((parameter) => parameters.indexOf(parameter));
  const variables = curved.map(({ variable }) => variableOf(variable));
  const sizes = variables.map(({ size }) => size);
  const remembering = rememberInputs(graph);
  const plan = planSteps(remembering);
  const sums = new TraceSums(parameters.length);
  /** Of the curvature of the network itself: one block a curved parameter. */
  const curvature = probeSums(probes, curved.length);
  let steps: readonly number[] | null = null;
  let chunkSize = 1;
  /** What the first chunks took, of one sample and of a few. */
  const tried: Tried[] = [];
  /** Backward rows run so far. */
  let rows = 0;

  /**
   * All probes of all blocks on one chunk of samples.
   *
   * @param turn called where a turn of the event loop is due.
   * @param ran called after every probe.
   */
  async function addChunk(inputs: tf.Tensor[], h: readonly number[], turn: Between, ran: Between): Promise<void> {
    const between = async () => {
      await turn();
      graph.checkUnmoved?.();
    };
    const gauge = memoryGauge(budgetBytes);
    const samples = inputs[0].shape[0];
    let tape: Tape | null = null;
    const residuals = new Map<number, tf.Tensor>();
    try {
      const recorded = await inTurns(remembering, recording(remembering, plan, inputs, gauge), turn);
      tape = recorded;
      for (const [output, r] of gaugedTensors(gauge, () => residualsOf(heads, recorded.outputs))) {
        residuals.set(output, r);
      }
      const held = holdPieces(remembering, recorded);
      for (const [block, parameter] of curved.entries()) {
        const gradient = gradientAbove(held, recorded, parameter);
        for (let probe = 0; probe < probes; probe++) {
          graph.checkUnmoved?.();
          const signs = probeSigns(sizes, block, seed, probe);
          const walk = () => gradient(residuals, gauge);
          const q = await probeQuotient(variables[block], signs, h[block], walk, gauge, between);
          const [ofChunk] = await valuesOf(q);
          curvature.add(probe, block, ofChunk);
          await ran();
        }
      }
      const inMemory = fitting(budgetBytes, samples, loadOf(gauge, budgetBytes), samples === 1);
      const [one, few] = tried;
      if (!one || (!few && samples > one.count)) {
        tried.push({ count: samples, steps: gauge.steps });
      }
      chunkSize =
        tried.length < 2 ? secondTrial(tried[0], inMemory) : Math.min(inMemory, fittingWork(tried[0], tried[1]));
    } finally {
      tf.dispose([...residuals.values()]);
      tape?.dispose();
    }
  }

  return {
    parameters,
    curved,
    get samples() {
      return sums.samples;
    },
    get pairs() {
      return sums.pairs + 2 * probes * curved.length * sums.samples;
    },
    get gaussNewton() {
      return sums.traces;
    },
    get meanLoss() {
      return sums.meanLoss;
    },
    get traces() {
      const traces = [...sums.traces];
      curvature.traces(sums.samples).forEach((trace, block) => {
        traces[places[block]] += trace;
      });
      return traces;
    },
    standardError: (factors) =>
      curvature.standardError(
        places.map((b) => factors[b]),
        sums.samples,
      ),
    async add(inputs, pause) {
      const before = sums.samples;
      const samples = inputs[0].shape[0];
      const gaussNewton = sums.pairs;
      const ofProbes = 2 * probes * curved.length * samples;
      const columns = heads.reduce((sum, head) => sum + (head.columns ?? Number.NaN), 0);
      const rowsBefore = rows;
      const totalRows = Number.isNaN(columns) ? undefined : rowsBefore + columns * samples + ofProbes;
      const ran = (more: number) => {
        // Chunks are read behind those that have been started.
        rows = Math.max(rows, rowsBefore + more);
        return pause(before, { rows, totalRows });
      };
      for await (const chunk of kernel.traces(inputs, ran)) {
        sums.add(chunk);
        await ran(sums.pairs - gaussNewton);
      }
      if (curved.length === 0) {
        await pause(sums.samples, { rows, totalRows });
        return;
      }
      checkFloatRange(
        curved,
        places.map((b) => sums.traces[b]),
        "the Hessian's",
      );
      steps ??= await probeSteps(
        variables,
        places.map((b) => sums.traces[b]),
      );
      const h = steps;
      // Not by `chunksOf`: a chunk moves the weights and is read on the way, so that none is started ahead, and every chunk is
      // measured anew, the first being one sample.
      for (let begin = 0; begin < samples; ) {
        const count = Math.min(chunkSize, samples - begin);
        const done = before + begin;
        const slices = samplesOf(inputs, begin, count);
        try {
          const turn = () => pause(done, { rows, totalRows });
          await addChunk(slices, h, turn, () => {
            rows += 2 * count;
            return turn();
          });
        } finally {
          tf.dispose(slices);
        }
        begin += count;
        await pause(before + begin, { rows, totalRows });
      }
    },
  };
}
