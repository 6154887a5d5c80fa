import * as tf from '@tensorflow/tfjs-core';
import { type Scaled, scaledTo } from '../network/block-floating-point.js';
import type { Graph } from '../network/graph.js';
import type { Operation, Parameter } from '../network/layers/operation.js';
import { type LargestWeights, largestWeights, type Magnitudes, scalingNorms } from '../network/scaled-norms.js';
import { recording, type StepPlan, type Tape } from '../network/tape.js';
import { memoryGauge } from '../tfjs/memory-gauge.js';
import type { Between } from './chunks.js';
import { inTurns } from './event-loop.js';

/*
 * Squares of small deltas leave the range of float32 long before deltas do: 1e-25 squared is 0. So the norms of each chunk are
 * looked at when they have been read. Where they could have lost something, that chunk is run again in block floating point; what
 * is in range stays as it is, to the last bit.
 */

/**
 * Smallest mean norm of a sample of which nothing can have been lost: numbers of float32 end at 2^-126, and 2^22 squares below that
 * add up to no more than 2^-24 of it.
 */
export const SMALLEST_SAFE = 2 ** -80;

/**
 * Whether norms that were summed in float32 are what they would be without its limits.
 *
 * @param values [rows, samples]: the norms of all parameters, and those of deltas that only products show.
 * @param quiet rows that may be 0 throughout: it is known why.
 */
export function inFloatRange(values: Float32Array, samples: number, quiet: ReadonlySet<number>): boolean {
  for (let row = 0; row * samples < values.length; row++) {
    let sum = 0;
    for (let n = 0; n < samples; n++) {
      sum += values[row * samples + n];
    }
    const isSafe = sum >= SMALLEST_SAFE * samples && sum < Number.POSITIVE_INFINITY;
    if (!isSafe && !(sum === 0 && quiet.has(row))) {
      return false;
    }
  }
  return true;
}

/**
 * For what is computed in float32 alone, without a second look.
 *
 * @param traces T_b of each parameter: where one is 0, it is.
 * @param what is computed beside them, for the message.
 * @throws RangeError with one line that names a weight whose trace is so small or so large that digits may have been lost.
 */
export function checkFloatRange(parameters: readonly Parameter[], traces: readonly number[], what: string): void {
  const lost = traces.findIndex((trace) => trace !== 0 && !(trace >= SMALLEST_SAFE && trace <= 1 / SMALLEST_SAFE));
  if (lost >= 0) {
    throw new RangeError(
      `The trace of '${parameters[lost].name}' is ${traces[lost]}, where float32 loses digits of ${what}: bring the weights of all ` +
        'layers to about the same size.',
    );
  }
}

/** The first rows of [rows, samples]. */
export function rowsOf(values: Float32Array, rows: number, samples: number): Float64Array[] {
  return Array.from(
    { length: rows },
    (_, row) => new Float64Array(values.subarray(row * samples, (row + 1) * samples)),
  );
}

/** Columns that travel together, in block floating point. */
export interface ScaledPass {
  readonly columns: number;
  /** With the place of the output that each belongs to, [R * N, ...]. */
  deltas(): [number, Scaled][];
}

/** Tried in turn, until two of them say the same. */
const attempts: readonly Magnitudes[] = [
  { travelling: 100, squared: 20 },
  { travelling: 60, squared: 45 },
  { travelling: 20, squared: 10 },
  { travelling: -20, squared: 0 },
  { travelling: -60, squared: -20 },
];
const AGREEMENT = 1e-5;
/** Products in the forward pass below this have lost digits that count. */
const SMALLEST_PRODUCT = 2 ** -105;

/**
 * Squared gradient norms of a chunk whose deltas, activations or norms leave the range of float32, as long as the network's own
 * forward pass stays in it: what comes out is right to the digits of float32, from 1e-300 to 1e300.
 *
 * Scaled by powers of two, nothing may change: every chunk is run with its numbers at two magnitudes. Where the results differ,
 * some numbers are so much smaller than others beside them that float32 cannot hold both.
 *
 * @param inputs of the chunk; they stay the caller's.
 * @param passesOf the columns, for the tape of these inputs.
 * @param between called ahead of every pass, and within it where a turn of the event loop is due. What it throws ends the work.
 * @returns for each parameter, one number a sample.
 * @throws RangeError with one line that names the layer where this cannot be had.
 */
export async function scaledTraces(
  graph: Graph,
  plan: readonly StepPlan[],
  parameters: readonly Parameter[],
  inputs: tf.Tensor[],
  passesOf: (tape: Tape) => readonly ScaledPass[],
  between: Between,
): Promise<Float64Array[]> {
  const weights = await largestWeights(plan);
  const gauge = memoryGauge();
  const tape = await inTurns(graph, recording(graph, plan, inputs, gauge), between);
  try {
    await checkForward(graph, plan, tape, weights);
    const passes = passesOf(tape);
    let earlier: Float64Array[] | undefined;
    let differing: Parameter | undefined;
    for (const magnitudes of attempts) {
      const found = parameters.map(() => new Float64Array(inputs[0].shape[0]));
      for (const { columns, deltas } of passes) {
        await between();
        graph.checkUnmoved?.();
        const scaled = new Map(
          tf.tidy(() => deltas().map(([output, each]): [number, Scaled] => [output, scaledTo(0, each)])),
        );
        const walk = scalingNorms(graph, plan, tape, scaled, columns, gauge, weights, magnitudes);
        const norms = await inTurns(graph, walk, between);
        await addNorms(found, parameters, norms);
      }
      // The one nearest to the output is where it begins.
      differing = parameters.filter((_, b) => !agree(earlier?.[b], found[b])).at(-1);
      if (!differing) {
        return found;
      }
      earlier = found;
    }
    throw new RangeError(
      `The trace of '${differing?.name}' leaves the range of float32, however layer '${differing?.layer.name}' is scaled: bring ` +
        'the weights of that layer and of those around it to about the same size.',
    );
  } finally {
    tape.dispose();
  }
}

/** What is said where the network overflows. */
export function outputsNotFinite(): RangeError {
  return new RangeError('The outputs are not finite: look for weights or inputs that are huge or not numbers.');
}

/** Reads norms, which are disposed, and adds them up in float64: what that does not hold either, below 1e-308, is 0. */
async function addNorms(
  sums: readonly Float64Array[],
  parameters: readonly Parameter[],
  norms: ReadonlyMap<Parameter, Scaled>,
): Promise<void> {
  const found = [...norms.values()].map(({ tensor, exponent }) => tf.stack([tensor, exponent]));
  const stacked = tf.tidy(() => tf.stack(found));
  tf.dispose([found, ...norms.values()]);
  const values = await stacked.data();
  stacked.dispose();
  [...norms.keys()].forEach((parameter, place) => {
    const sum = sums[parameters.indexOf(parameter)];
    const samples = sum.length;
    const begin = 2 * place * samples;
    for (let n = 0; n < samples; n++) {
      const mantissa = values[begin + n];
      // A product of 0 and infinity would not be a number.
      sum[n] += mantissa === 0 ? 0 : mantissa * 2 ** values[begin + samples + n];
    }
  });
}

/** Whether two runs have found the same, a number. */
function agree(a: Float64Array | undefined, b: Float64Array): boolean {
  if (!a) {
    return false;
  }
  const [one, other] = [a, b].map((each) => each.reduce((sum, value) => sum + value, 0));
  return Math.abs(one - other) <= AGREEMENT * Math.max(one, other);
}

/**
 * Where the network's outputs are not finite there is nothing to measure. Where products of inputs and kernels underflow, or kernels themselves, the network's outputs have lost digits, or are 0.
 *
 * @throws RangeError with one line that names the first layer of which that is so.
 */
async function checkForward(
  graph: Graph,
  plan: readonly StepPlan[],
  tape: Tape,
  weights: ReadonlyMap<Operation, LargestWeights>,
): Promise<void> {
  // What only the loss reads, its labels for one, goes through the graph as it is.
  const computed = tape.outputs.filter((_, i) => !graph.inputs.includes(graph.outputs[i]));
  const finite = tf.tidy(() => tf.addN(computed.map((z) => tf.sum(tf.mul(z, 0)))));
  const [zero] = await finite.data();
  finite.dispose();
  if (zero !== 0) {
    throw outputsNotFinite();
  }
  const affine = plan.flatMap(({ step: { operation } }, i) =>
    (operation.linearIn ?? []).flatMap(({ saved, parameter }) => {
      const x = tape.calls[i]?.saved[saved];
      return parameter.role === 'kernel' && x ? [{ operation, x }] : [];
    }),
  );
  if (affine.length === 0) {
    return;
  }
  const largest = tf.tidy(() => tf.stack(affine.map(({ x }) => tf.max(tf.abs(x)))));
  const sizes = await largest.data();
  largest.dispose();
  affine.forEach(({ operation }, i) => {
    const { kernel, bias } = weights.get(operation) as LargestWeights;
    const product = sizes[i] * kernel;
    const isTiny = (value: number) => value > 0 && value < SMALLEST_PRODUCT;
    // Beside a bias, small products do not matter.
    if (isTiny(kernel) || (isTiny(product) && bias < SMALLEST_PRODUCT)) {
      throw new RangeError(
        `Layer '${operation.layer.name}' (${operation.description}) has weights or products so small that float32 loses their ` +
          'digits: multiply its weights by a power of two, and divide those of a layer behind it by the same.',
      );
    }
  });
}
