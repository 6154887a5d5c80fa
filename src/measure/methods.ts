import type { Graph } from '../network/graph.js';
import { curvedHeads } from '../network/heads.js';
import { minimizeOverScales, type ScaleMinimum } from '../symmetry/scale-minimum.js';
import type { ScaleSymmetry } from '../symmetry/scale-symmetry.js';
import type { Pause } from '../traces/chunks.js';
import { type TraceChunk, traceKernel } from '../traces/exact.js';
import { hutchinsonTraces } from '../traces/hutchinson/hutchinson.js';
import { GROWTH } from '../traces/pairs/growing-sample.js';
import { type PairSampler, pairSampler } from '../traces/pairs/pair-sampler.js';
import { type PairSample, SampledTraces } from '../traces/pairs/sampled-traces.js';
import type { DrawnValues } from '../traces/sampling/paired.js';
import { type LossSums, TraceSums } from '../traces/trace-sums.js';
import {
  hessianAssumption,
  pairAssumptions,
  partAssumptions,
  toleranceMissed,
  UNRELIABLE_MINIBATCH,
  UNRELIABLE_PROBES,
  UNRELIABLE_SAMPLE,
} from './assumptions.js';
import { cheapestShare } from './cheapest-share.js';
import type { TopEigenvalues } from './eigenvalue.js';
import { announcedWhereLong } from './long-reading.js';
import { isHutchinson, isSampled, type MeasureMethod, type MeasureOptions, type SampledMethod } from './options.js';
import type { Task } from './task.js';

/** Traces and the errors of what is made of them. */
export interface Estimate {
  /** T_b, in the order of the trained parameters. Those of the Hessian may be negative. */
  readonly traces: readonly number[];
  /** What the traces are of. */
  readonly matrix: 'Gauss-Newton' | 'Hessian';
  /** How these were found: see `SharpnessReading`. */
  readonly method: 'exact' | 'sampled' | 'hutchinson';
  /** The rescaling that makes their sum least. */
  readonly minimum: ScaleMinimum;
  readonly samples: number;
  readonly pairs: number;
  readonly assumptions: readonly string[];
  /** Means over the samples, where their losses were asked for. */
  readonly loss?: LossSums | undefined;
  /** Error of sum_b factors_b T_b. */
  errorOf(factors: readonly number[]): { readonly standardError: number; readonly reliable: boolean };
  /** What each pair drawn adds to sum_b factors_b T_b, where they alone make its error. */
  drawn?(factors: readonly number[]): DrawnValues | undefined;
  /** Where they were asked for, and can be had. */
  readonly topEigenvalues?: TopEigenvalues | undefined;
  /** What to say where an error is not reliable. */
  readonly unreliable: string;
}

/** A way of measuring. */
export type Method = (task: Task) => Promise<Estimate>;

/** No more samples or probes than this leave fewer than 20 degrees of freedom. */
const FEWEST_DRAWS = 20;
/** First sample on the way to a tolerance of 0.05 or less; a looser one begins with fewer, as the root of the two. */
const FIRST_PAIRS = 256;
const FIRST_TOLERANCE = 0.05;
/** Of its square: how much more accurate than it takes a sample has to be, so that the next one begins with fewer. */
const GENEROUS = 1.25;

/** By the method that the options ask for, on the data that the value shall speak for. */
export async function tracesOf(task: Task, method: MeasureMethod = 'exact'): Promise<Estimate> {
  return isHutchinson(method)
    ? hessianTraces(task, method.hutchinson)
    : estimateOfShares(task.subject, [await shareOf(task, method)]);
}

/** Every sample of a minibatch and every column; the error is that of the mean over a random part of a larger set. */
export async function minibatchTraces(task: Task): Promise<Estimate> {
  const sums = await exactTraces(
    announcedWhereLong(task, 'with { data, method: { tolerance: 0.02 } } a few hundred do.'),
  );
  const { traces, samples, pairs } = sums;
  return {
    traces,
    matrix: 'Gauss-Newton',
    method: 'exact',
    minimum: minimizeOverScales(task.subject.symmetry, traces),
    samples,
    pairs,
    loss: sums.meanLoss,
    // The loss is flatter where it has just been lowered, by how much nobody knows.
    errorOf: (factors) => ({ standardError: sums.standardError(factors), reliable: false }),
    unreliable: UNRELIABLE_MINIBATCH,
    assumptions: [],
  };
}

/** @throws Error with one line for options that ask for more than a minibatch has. */
export function checkMinibatchOptions({ method, part }: MeasureOptions): void {
  if (isSampled(method)) {
    // Sampling pays off over a whole set; a minibatch is measured in full.
    throw new Error(
      "method: pairs are drawn from a whole set, not from a minibatch. Pass { data } with it, or method: 'exact'.",
    );
  }
  if (isHutchinson(method)) {
    throw new Error(
      "method: traces of the Hessian are measured on data with labels, not on a minibatch. Pass { data, labels }, or method: 'exact'.",
    );
  }
  if (part !== undefined) {
    throw new Error('part: it is a part of data, not of a minibatch. Pass { data } with it.');
  }
}

/** exp(-2 e_b): what the optimal scales make of each trace. */
export function factorsOf({ exponents }: ScaleMinimum): number[] {
  return exponents.map((exponent) => Math.exp(-2 * exponent));
}

/** Traces of the Hessian itself, those of the network's own curvature by random probes. */
async function hessianTraces(task: Task, probes: number): Promise<Estimate> {
  const { subject, data, budgetBytes, seed, pause } = announcedWhereLong(task, 'fewer probes take less.');
  const { graph, heads, symmetry } = subject;
  const found = hutchinsonTraces(graph, heads, { probes, seed, budgetBytes, withLoss: subject.withLoss });
  await data.eachBatch((batch) =>
    // A batch of a dataset says nothing of all of them.
    found.add(batch, (samples, run) =>
      pause(samples, run && { ...run, ...(!data.tensors && { totalRows: undefined }) }),
    ),
  );
  const { traces, samples, pairs, curved } = found;
  return {
    traces,
    matrix: 'Hessian',
    method: 'hutchinson',
    // Rescaled, a negative trace has no bound, so that the minimum cannot count it.
    minimum: minimizeOverScales(
      symmetry,
      traces.map((trace) => Math.max(0, trace)),
    ),
    samples,
    pairs,
    loss: found.meanLoss,
    errorOf: (factors) => ({
      standardError: found.standardError(factors),
      reliable: curved.length === 0 || probes > FEWEST_DRAWS,
    }),
    unreliable: UNRELIABLE_PROBES,
    assumptions: [hessianAssumption(curved, probes)],
  };
}

/** What was found in one share of the data. */
export interface Share {
  readonly sample: PairSample;
  /** A tolerance that it missed, in a sentence. */
  readonly missed?: string;
  /** The minimum over the scales for this share alone, where the way to it has found it. */
  readonly minimum?: ScaleMinimum;
  /** How many pairs the next share of this network may begin with, where the way to this one says. */
  readonly nextPairs?: number;
}

/** One share of the data by a method that has shares: all pairs of sample and column, or a few. */
export async function shareOf(
  task: Task,
  method: Exclude<MeasureMethod, { readonly hutchinson: number }>,
): Promise<Share> {
  // Without curvature there is nothing to draw by.
  if (!isSampled(method) || curvedHeads(task.subject.heads).length === 0) {
    return exactShare(announcedWhereLong(task, 'method: { tolerance: 0.02 } needs a few hundred.'));
  }
  return sampledOrExactShare(
    announcedWhereLong(
      task,
      'part: 0.1 runs a tenth of the samples, and fewer pairs or a looser tolerance fewer rows.',
    ),
    method,
  );
}

/** A few pairs, or every pair where a tolerance is met that way at less cost. */
async function sampledOrExactShare(task: Task, method: SampledMethod): Promise<Share> {
  const { subject, data, budgetBytes, seed } = task;
  const sampler = pairSampler(subject.graph, subject.heads, budgetBytes, seed, data.population, subject.withLoss);
  if (method.tolerance === undefined) {
    return sampledShare(task, method, { sampler, exact: () => exactShare(task) });
  }
  const { tolerance } = method;
  const share = await cheapestShare<Share>(task, tolerance, firstPairs(tolerance), {
    exact: exactShare,
    sampled: (task, first, exact) => sampledShare(task, method, { sampler, exact, first }),
  });
  return share.minimum ? share : judgedShare(verdictOn(subject.symmetry, tolerance, new SampledTraces([share.sample])));
}

/** What a sampled share is made of. */
export interface SampledWays {
  readonly sampler: PairSampler;
  /** Every pair, where that is cheaper than as many as would be wanted. */
  exact(): Promise<Share>;
  /** Pairs to begin with on the way to a tolerance. Default: as many as suffice for many networks. */
  readonly first?: number;
}

/** A few pairs of sample and column, drawn by their curvature; every pair where that is cheaper. */
export async function sampledShare(
  task: Task,
  { pairs, tolerance }: SampledMethod,
  { sampler, exact, first = firstPairs(tolerance ?? 1) }: SampledWays,
): Promise<Share> {
  const { subject, data } = task;
  const planned = plannedRows(task, sampler, pairs ?? first);
  const pause: Pause = (samples, run = { rows: 0, totalRows: planned }) => task.pause(samples, run);
  let last: Verdict | undefined;
  let judged = 0;
  /** Looks that still have to please. Draws that missed what others have found look best: a doubt counts twice. */
  let looks = 1;
  const size = {
    pairs: pairs ?? first,
    grows: tolerance !== undefined,
    enough(traces: SampledTraces) {
      if (tolerance === undefined) {
        return true;
      }
      last = verdictOn(subject.symmetry, tolerance, traces);
      judged++;
      if (!last.isReliable) {
        looks = 2;
      } else if (last.isAccurate) {
        looks--;
      }
      return looks === 0 || last.gainsNothing;
    },
  };
  let sample: PairSample | null = null;
  let kept: number | undefined;
  if (data.tensors) {
    await data.eachBatch(async (tensors) => {
      sample = await sampler.ofTensors(tensors, size, pause);
    });
  } else {
    const stream = sampler.ofStream(pairs);
    try {
      await data.eachBatch((batch) => stream.add(batch, pause));
    } finally {
      stream.dispose();
    }
    kept = stream.capacity;
    sample = await stream.finish(size, pause);
  }
  sample ??= (await exact()).sample;
  if (tolerance === undefined) {
    return { sample };
  }
  const verdict = last?.sample === sample ? last : verdictOn(subject.symmetry, tolerance, new SampledTraces([sample]));
  return { ...judgedShare(verdict, kept), nextPairs: nextPairs(verdict, judged === 1) };
}

/** Backward rows of a sampled share, as far as is known before its pairs are drawn: all, where it comes to that. */
function plannedRows({ subject, data }: Task, { drawsNothing }: PairSampler, pairs: number): number | undefined {
  if (drawsNothing) {
    return 0;
  }
  if (!data.tensors) {
    return pairs;
  }
  const columns = subject.heads.reduce((sum, head) => sum + (head.columns ?? Number.NaN), 0);
  const all = data.tensors[0].shape[0] * columns;
  return Number.isNaN(all) ? undefined : Math.min(pairs, all);
}

/** What is to be thought of a sample, on the way to a tolerance. */
interface Verdict {
  readonly tolerance: number;
  readonly sample: PairSample;
  readonly minimum: ScaleMinimum;
  readonly isAccurate: boolean;
  readonly isReliable: boolean;
  /** Whether it is so accurate that fewer pairs, by one step of its growth, would do. */
  readonly isGenerous: boolean;
  /** Whether more pairs would gain nothing. */
  readonly gainsNothing: boolean;
}

function verdictOn(symmetry: ScaleSymmetry, tolerance: number, traces: SampledTraces): Verdict {
  const minimum = minimizeOverScales(symmetry, traces.traces);
  const factors = factorsOf(minimum);
  const bound = tolerance * minimum.value;
  const isAccurate = traces.isWithin(bound, factors);
  const isReliable = traces.errorOf(factors).reliable;
  return {
    tolerance,
    sample: traces.shares[0],
    minimum,
    isAccurate,
    isReliable,
    isGenerous: isReliable && traces.isWithin(bound / Math.sqrt(GENEROUS * GROWTH), factors),
    gainsNothing: !(isAccurate && isReliable) && traces.restsOnSamples(factors),
  };
}

/** @param kept the largest sample that there could be. */
function judgedShare(
  { tolerance, sample, minimum, isAccurate, gainsNothing }: Verdict,
  kept = Number.POSITIVE_INFINITY,
): Share {
  const missed = isAccurate ? {} : { missed: toleranceMissed(tolerance, gainsNothing ? 'samples' : kept) };
  return { sample, minimum, ...missed };
}

/** Pairs that a sample begins with on the way to a tolerance. */
function firstPairs(tolerance: number): number {
  return Math.ceil(FIRST_PAIRS * Math.min(1, Math.sqrt(FIRST_TOLERANCE / tolerance)));
}

/**
 * Pairs to begin with after a sample: as many as did, so that most readings take one round; one step fewer where the first ones left
 * that much to spare. Only their number is taken over. Undefined where none were drawn.
 */
function nextPairs({ sample, isGenerous }: Verdict, isFirst: boolean): number | undefined {
  const { length } = sample.inclusion;
  return length === 0 ? undefined : isFirst && isGenerous ? Math.round(length / GROWTH) : length;
}

/** Every sample and every column, as a share that others can be added to. */
async function exactShare(task: Task): Promise<Share> {
  const { population } = task.data;
  const ofSamples: number[][] = [];
  const sums = await exactTraces(task, ({ norms }) => {
    if (population) {
      norms.forEach((ofBlock, b) => {
        ofSamples[b] ??= [];
        for (const norm of ofBlock) {
          ofSamples[b].push(norm);
        }
      });
    }
  });
  const { samples, pairs, traces, loss } = sums;
  const sample: PairSample = {
    samples,
    pairs,
    closedForm: traces.map((trace) => trace * samples),
    ...(loss && { loss }),
    inclusion: [],
    traces: traces.map(() => []),
    ...(population && { part: { population: population(), closedForm: ofSamples, sampleOf: [] } }),
  };
  return { sample };
}

/**
 * Every sample and every column, summed.
 *
 * @param look shown every chunk.
 */
async function exactTraces(task: Task, look?: (chunk: TraceChunk) => void): Promise<TraceSums> {
  const { subject, data, budgetBytes, pause } = task;
  const { graph, heads } = subject;
  const kernel = traceKernel(graph, heads, budgetBytes, { withLoss: subject.withLoss });
  const sums = new TraceSums(kernel.parameters.length);
  const known = heads.every((head) => head.columns !== undefined);
  let columns = known ? heads.reduce((sum, head) => sum + (head.columns as number), 0) : undefined;
  let rows = 0;
  /** Chunks are read behind those that have been started, so that rows are ahead of the sums. */
  const ran = (atLeast: number) => {
    rows = Math.max(rows, atLeast);
    const totalRows = data.tensors && columns && data.tensors[0].shape[0] * columns;
    return pause(sums.samples, { rows, totalRows: totalRows || undefined });
  };
  await data.eachBatch(async (batch) => {
    const before = sums.pairs;
    for await (const chunk of kernel.traces(batch, (run) => ran(before + run))) {
      sums.add(chunk);
      columns ??= chunk.pairs / chunk.samples;
      look?.(chunk);
      await ran(sums.pairs);
    }
  });
  return sums;
}

/** What shares of the data say together. */
export function estimateOfShares(
  { graph, symmetry }: { readonly graph: Graph; readonly symmetry: ScaleSymmetry },
  shares: readonly Share[],
): Estimate {
  const found = new SampledTraces(shares.map(({ sample }) => sample));
  const { traces, samples, pairs } = found;
  const known = shares.length === 1 ? shares[0].minimum : undefined;
  return {
    traces,
    matrix: 'Gauss-Newton',
    method: shares.some(({ sample }) => sample.closedForm.includes(null)) ? 'sampled' : 'exact',
    minimum: known ?? minimizeOverScales(symmetry, traces),
    samples,
    pairs,
    loss: found.loss,
    errorOf: (factors) => found.errorOf(factors),
    drawn: (factors) => found.drawn(factors),
    unreliable: UNRELIABLE_SAMPLE,
    assumptions: [
      ...pairAssumptions(graph, found),
      ...partAssumptions(found),
      ...shares.flatMap(({ missed }) => missed ?? []),
    ],
  };
}
