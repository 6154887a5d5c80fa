import type * as tf from '@tensorflow/tfjs-core';
import type { Graph } from './curvature/graph.js';
import type { Head } from './curvature/heads.js';
import { hutchinsonTraces } from './curvature/hutchinson.js';
import { outputHessians } from './curvature/output-hessian.js';
import { type PairSample, SampledTraces } from './curvature/pair-sample.js';
import { pairSampler, type SampleSize } from './curvature/sampled.js';
import { traceKernel } from './curvature/trace.js';
import { TraceSums } from './curvature/trace-sums.js';
import type { SampledMethod } from './options.js';
import { minimizeOverScales } from './symmetry/minimum.js';
import type { ScaleSymmetry } from './symmetry/potentials.js';

/** Traces and the errors of what is made of them. */
export interface Estimate {
  readonly traces: readonly number[];
  readonly samples: number;
  readonly pairs: number;
  readonly assumptions: readonly string[];
  /** Error of sum_b factors_b T_b. */
  errorOf(factors: readonly number[]): { readonly standardError: number; readonly reliable: boolean };
}

/** The data, read by batches: inputs of the graph, [N, ...] each. */
export interface Data {
  /** All of it, where it is tensors. */
  readonly tensors: readonly tf.Tensor[] | null;
  eachBatch(run: (batch: readonly tf.Tensor[]) => Promise<void>): Promise<void>;
}

/** What a way of measuring works on. */
export interface Task {
  readonly graph: Graph;
  readonly heads: readonly Head[];
  readonly symmetry: ScaleSymmetry;
  readonly data: Data;
  readonly budgetBytes: number;
  readonly seed: number;
  /** Called after every chunk with the samples done: progress, and the place to yield to the event loop or to stop. */
  pause(samples: number): Promise<void>;
}

/** First sample on the way to a tolerance. */
const FIRST_PAIRS = 128;
/** An exact measurement that will run more backward rows than this says so first. */
const MANY_ROWS = 100_000;

/** Graphs whose cost has been said; a training run measures the same network again and again. */
const announced = new WeakSet<object>();

/**
 * Every sample and every column.
 *
 * @param spread whether the error is that of the mean over a random part of a larger set, rather than 0.
 * @param subject what to say the cost of once.
 */
export async function exactTraces(task: Task, spread: boolean, subject: object): Promise<Estimate> {
  const { graph, heads, data, budgetBytes, pause } = task;
  const kernel = traceKernel(graph, heads, budgetBytes);
  const sums = new TraceSums(kernel.parameters.length);
  await data.eachBatch(async (batch) => {
    if (data.tensors) {
      announce(subject, batch[0].shape[0], heads, spread);
    }
    for await (const chunk of kernel.traces(batch)) {
      sums.add(chunk);
      await pause(sums.samples);
    }
  });
  const { traces, samples, pairs } = sums;
  const errorOf = (factors: readonly number[]) => ({
    standardError: spread ? sums.standardError(factors) : 0,
    reliable: true,
  });
  return { traces, samples, pairs, errorOf, assumptions: [] };
}

/** Says what a long exact measurement costs, and what is cheaper. */
function announce(subject: object, samples: number, heads: readonly Head[], isMinibatch: boolean): void {
  const columns = heads.reduce((sum, head) => sum + (head.columns ?? 0), 0);
  if (samples * columns <= MANY_ROWS || announced.has(subject)) {
    return;
  }
  announced.add(subject);
  console.info(
    `tfjs-sharpness: an exact reading runs ${samples} samples x ${columns} columns = ${samples * columns} backward rows; ` +
      (isMinibatch
        ? 'with { data, method: { tolerance: 0.02 } } a few hundred do.'
        : 'method: { tolerance: 0.02 } needs a few hundred.'),
  );
}

/** exp(-2 e_b): what the optimal scales make of each trace. */
export function factorsOf(exponents: readonly number[]): number[] {
  return exponents.map((exponent) => Math.exp(-2 * exponent));
}

/** Traces of the Hessian itself, those of the network's own curvature by random probes. */
export async function hessianTraces(task: Task, probes: number): Promise<Estimate> {
  const { graph, heads, data, budgetBytes, seed, pause } = task;
  const found = hutchinsonTraces(graph, heads, { probes, seed, budgetBytes });
  await data.eachBatch((batch) => found.add(batch, pause));
  const { traces, samples, pairs, curved } = found;
  const estimated = curved.map(({ name }) => `'${name}'`).join(', ');
  return {
    traces,
    samples,
    pairs,
    errorOf: (factors) => ({ standardError: found.standardError(factors), reliable: true }),
    assumptions: [
      estimated
        ? `The Hessian's traces of ${estimated} are estimated with ${probes} random probes each.`
        : 'No weight is curved by the network, so that the traces of the Hessian are exact.',
    ],
  };
}

/** A few pairs of sample and column, drawn by their curvature. Null where all pairs are to be measured. */
export async function sampledTraces(task: Task, { pairs, tolerance }: SampledMethod): Promise<Estimate | null> {
  const { graph, heads, symmetry, data, budgetBytes, seed, pause } = task;
  const sampler = pairSampler(graph, heads, budgetBytes, seed);
  const isAccurate = (sample: SampledTraces) => {
    if (tolerance === undefined) {
      return true;
    }
    const { value, exponents } = minimizeOverScales(symmetry, sample.traces);
    return sample.isWithin(tolerance * value, factorsOf(exponents));
  };
  const size: SampleSize = {
    pairs: pairs ?? FIRST_PAIRS,
    grows: tolerance !== undefined,
    enough: isAccurate,
  };
  let sample: PairSample | null = null;
  let kept = Number.POSITIVE_INFINITY;
  if (data.tensors) {
    await data.eachBatch(async (tensors) => {
      sample = await sampler.ofTensors(tensors, size, pause);
    });
  } else {
    const stream = sampler.ofStream(pairs);
    await data.eachBatch((batch) => stream.add(batch, pause));
    kept = stream.capacity;
    sample = await stream.finish(size, pause);
  }
  if (sample === null) {
    return null;
  }
  const found = new SampledTraces([sample]);
  const { traces, samples, pairs: run } = found;
  return {
    traces,
    samples,
    pairs: run,
    errorOf: (factors) => found.errorOf(factors),
    assumptions: samplingAssumptions(heads, found, kept, isAccurate(found) ? undefined : tolerance),
  };
}

/** What a sampled value takes for granted, one sentence each. */
function samplingAssumptions(
  heads: readonly Head[],
  sample: SampledTraces,
  kept: number,
  missed: number | undefined,
): string[] {
  const assumptions: string[] = [];
  if (sample.pairs > 0 && heads.some(({ hessian }) => hessian === outputHessians.meanSquaredError)) {
    assumptions.push(
      'Squared error weighs all outputs alike, so that sampling can only go by the activations and gains less.',
    );
  }
  if (missed !== undefined) {
    assumptions.push(
      `A relative standard error of ${missed} would need more than the ${kept} pairs that are kept of a dataset: ` +
        'pass tensors, { pairs } or more memoryMB.',
    );
  }
  return assumptions;
}
