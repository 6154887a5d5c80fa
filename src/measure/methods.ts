import type * as tf from '@tensorflow/tfjs-core';
import type { Graph } from '../network/graph.js';
import type { Head } from '../network/heads.js';
import { outputHessians } from '../network/output-hessian.js';
import { minimizeOverScales } from '../symmetry/scale-minimum.js';
import type { ScaleSymmetry } from '../symmetry/scale-symmetry.js';
import { traceKernel } from '../traces/exact.js';
import { hutchinsonTraces } from '../traces/hutchinson.js';
import { pairSampler, type SampleSize } from '../traces/pair-sampler.js';
import { type PairSample, SampledTraces } from '../traces/sampled-traces.js';
import { TraceSums } from '../traces/trace-sums.js';
import type { SampledMethod } from './options.js';

/** Traces and the errors of what is made of them. */
export interface Estimate {
  readonly traces: readonly number[];
  readonly samples: number;
  readonly pairs: number;
  readonly assumptions: readonly string[];
  /** Error of sum_b factors_b T_b. */
  errorOf(factors: readonly number[]): { readonly standardError: number; readonly reliable: boolean };
  /** What to say where an error is not reliable. */
  readonly unreliable: string;
}

/** The data, read by batches: inputs of the graph, [N, ...] each. */
export interface Data {
  /** All of it, where it is tensors. */
  readonly tensors: readonly tf.Tensor[] | null;
  eachBatch(run: (batch: readonly tf.Tensor[]) => Promise<void>): Promise<void>;
  /** Where the batches hold a random part of the samples: how many there are in all, once they have been read. */
  readonly population?: () => number;
}

/** What a way of measuring works on. */
export interface Task {
  /** The model or function, by which what was said once is remembered. */
  readonly source: object;
  readonly graph: Graph;
  readonly heads: readonly Head[];
  readonly symmetry: ScaleSymmetry;
  readonly data: Data;
  readonly budgetBytes: number;
  readonly seed: number;
  /** Called after every chunk with the samples done: progress, and the place to yield to the event loop or to stop. */
  pause(samples: number): Promise<void>;
}

/** No more samples or probes than this leave fewer than 20 degrees of freedom. */
const FEWEST_DRAWS = 20;
/** First sample on the way to a tolerance. */
const FIRST_PAIRS = 256;
/** An exact measurement that will run more backward rows than this says so first. */
const MANY_ROWS = 100_000;

/** Graphs whose cost has been said; a training run measures the same network again and again. */
const announced = new WeakSet<object>();

/** Every sample of a minibatch and every column; the error is that of the mean over a random part of a larger set. */
export async function minibatchTraces({ source, graph, heads, data, budgetBytes, pause }: Task): Promise<Estimate> {
  const kernel = traceKernel(graph, heads, budgetBytes);
  const sums = new TraceSums(kernel.parameters.length);
  await data.eachBatch(async (batch) => {
    if (data.tensors) {
      announce(source, batch[0].shape[0], heads, true);
    }
    for await (const chunk of kernel.traces(batch)) {
      sums.add(chunk);
      await pause(sums.samples);
    }
  });
  const { traces, samples, pairs } = sums;
  const errorOf = (factors: readonly number[]) => ({
    standardError: sums.standardError(factors),
    reliable: samples > FEWEST_DRAWS,
  });
  const unreliable =
    'The standard error is not reliable, because it rests on few samples: use larger minibatches, or data.';
  return { traces, samples, pairs, errorOf, unreliable, assumptions: [] };
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
    errorOf: (factors) => ({
      standardError: found.standardError(factors),
      reliable: curved.length === 0 || probes > FEWEST_DRAWS,
    }),
    unreliable: 'The standard error is not reliable, because it rests on few probes: ask for more than 20.',
    assumptions: [
      estimated
        ? `The Hessian's traces of ${estimated} are estimated with ${probes} random probes each.`
        : 'No weight is curved by the network, so that the traces of the Hessian are exact.',
    ],
  };
}

/** What was found in one share of the data, and a tolerance that it missed. */
export interface Share {
  readonly sample: PairSample;
  readonly missed?: string;
}

/** A few pairs of sample and column, drawn by their curvature; every pair where that is cheaper. */
export async function sampledShare(task: Task, { pairs, tolerance }: SampledMethod): Promise<Share> {
  const { graph, heads, symmetry, data, budgetBytes, seed, pause } = task;
  const sampler = pairSampler(graph, heads, budgetBytes, seed, data.population);
  const isAccurate = (sample: SampledTraces) => {
    if (tolerance === undefined) {
      return true;
    }
    const { value, exponents } = minimizeOverScales(symmetry, sample.traces);
    return sample.isWithin(tolerance * value, factorsOf(exponents));
  };
  const gainsNothing = (sample: SampledTraces) =>
    sample.restsOnSamples(factorsOf(minimizeOverScales(symmetry, sample.traces).exponents));
  const size: SampleSize = {
    pairs: pairs ?? FIRST_PAIRS,
    grows: tolerance !== undefined,
    enough: (sample) => isAccurate(sample) || gainsNothing(sample),
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
  sample ??= (await exactShare(task)).sample;
  const found = new SampledTraces([sample]);
  if (isAccurate(found)) {
    return { sample };
  }
  return { sample, missed: gainsNothing(found) ? A_LARGER_PART(tolerance) : MORE_PAIRS(tolerance, kept) };
}

const A_LARGER_PART = (tolerance: number | undefined) =>
  `A relative standard error of ${tolerance} would need a larger part of the samples: raise part.`;

const MORE_PAIRS = (tolerance: number | undefined, kept: number) =>
  `A relative standard error of ${tolerance} would need more than the ${kept} pairs that are kept of a dataset: ` +
  'pass tensors, { pairs } or more memoryMB.';

/** Every sample and every column, as a share that others can be added to. */
export async function exactShare({ source, graph, heads, data, budgetBytes, pause }: Task): Promise<Share> {
  const kernel = traceKernel(graph, heads, budgetBytes);
  const { parameters } = kernel;
  const sums = new TraceSums(parameters.length);
  const ofSamples = parameters.map((): number[] => []);
  await data.eachBatch(async (batch) => {
    if (data.tensors) {
      announce(source, batch[0].shape[0], heads, false);
    }
    for await (const chunk of kernel.traces(batch)) {
      sums.add(chunk);
      if (data.population) {
        chunk.norms.forEach((norms, b) => {
          for (const norm of norms) {
            ofSamples[b].push(norm);
          }
        });
      }
      await pause(sums.samples);
    }
  });
  const { samples, pairs, traces } = sums;
  const sample: PairSample = {
    samples,
    pairs,
    closedForm: traces.map((trace) => trace * samples),
    inclusion: [],
    traces: traces.map(() => []),
    ...(data.population && { part: { population: data.population(), closedForm: ofSamples, sampleOf: [] } }),
  };
  return { sample };
}

/** What shares of the data say together. */
export function estimateOfShares(shares: readonly Share[], heads: readonly Head[]): Estimate {
  const found = new SampledTraces(shares.map(({ sample }) => sample));
  const { traces, samples, pairs } = found;
  const run = shares.reduce((sum, { sample }) => sum + sample.samples, 0);
  return {
    traces,
    samples,
    pairs,
    errorOf: (factors) => found.errorOf(factors),
    unreliable:
      'The standard error is not reliable, because it rests on a few of what was drawn: ask for more pairs, or a larger part.',
    assumptions: [
      ...samplingAssumptions(heads, found),
      ...(run < samples
        ? [`${run} of the ${samples} samples were run, drawn at random; standardError includes what that adds.`]
        : []),
      ...shares.flatMap(({ missed }) => missed ?? []),
    ],
  };
}

/** What a sampled value takes for granted, one sentence each. */
function samplingAssumptions(heads: readonly Head[], sample: SampledTraces): string[] {
  const isDrawn = sample.shares.some(({ inclusion }) => inclusion.length > 0);
  return isDrawn && heads.some(({ hessian }) => hessian === outputHessians.meanSquaredError)
    ? ['Squared error weighs all outputs alike, so that sampling can only go by the activations and gains less.']
    : [];
}
