import type * as tfl from '@tensorflow/tfjs-layers';
import { parametersOf } from '../network/graph.js';
import type { Parameter } from '../network/layers/operation.js';
import { minimizeOverScales } from '../symmetry/scale-minimum.js';
import { headAssumptions, reasonsNotExact, regularizerAssumptions } from './assumptions.js';
import type { DatasetInputs, TensorInputs } from './inputs.js';
import { checkMaskedForward } from './masked-forward.js';
import {
  type Estimate,
  estimateOfShares,
  exactShare,
  factorsOf,
  hessianTraces,
  minibatchTraces,
  sampledShare,
} from './methods.js';
import { isHutchinson, isSampled, type MeasureOptions } from './options.js';
import type { SharpnessReading } from './reading.js';
import { type Subject, subjectOfModel } from './subject.js';
import { type Assignment, withTask } from './task.js';

/** What can be measured: tensors of samples, or a batched dataset of them. */
export type SharpnessInputs = TensorInputs | DatasetInputs;

/**
 * Measures Minimum Sharpness: the trace of the loss Hessian, minimised over all rescalings of the layers that leave the
 * function unchanged (Ibayashi, Hamaguchi, Imaizumi, "Minimum sharpness", arXiv 2106.12612).
 *
 *     MS = min over s of  sum_kernels T_b exp(-2 (s_out - s_in)) + sum_biases T_b exp(-2 s_out)
 *
 * with T_b the trace of the Hessian block of weight tensor b for the mean loss per sample. Labels are not needed. The model
 * is measured as inference runs it: dropout off, batch normalization with its moving statistics.
 *
 * Several outputs add up with their `lossWeights`; the loss of an output with positions is the mean over them.
 *
 * @param model a built model with outputs of shape [N, K] or [N, ...positions, K].
 * @param inputs [N, ...] for each input of the model: a tensor, several, by name, or a batched dataset of xs or { xs, ys }.
 * @returns the reading; `standardError` is 0 with the exact method, unless `part` leaves samples out.
 * @throws Error with one line that says what was wrong and how to mend it, before anything is computed: model not built or
 *   without trained weights, wrong shape or dtype, no samples, NaN or infinite weights or inputs, unknown loss, loss and
 *   last activation that do not belong together, a layer that cannot be measured, options out of range.
 * @throws RangeError when `memoryMB` does not hold one sample.
 *
 * @example
 * const { minimumSharpness } = await measureSharpness(model, xTrain);
 */
export function measureSharpness(
  model: tfl.LayersModel,
  inputs: SharpnessInputs,
  options: MeasureOptions = {},
): Promise<SharpnessReading> {
  return measureModel(model, inputs, options, false);
}

/**
 * `measureSharpness` on a minibatch that was drawn from a larger set: `standardError` carries the spread between the
 * samples, as an estimate for that set.
 */
export function estimateSharpness(
  model: tfl.LayersModel,
  inputs: SharpnessInputs,
  options: MeasureOptions = {},
): Promise<SharpnessReading> {
  try {
    checkMinibatchOptions(options);
  } catch (error) {
    return Promise.reject(error);
  }
  return measureModel(model, inputs, options, true);
}

/** @throws Error with one line for options that ask for more than a minibatch has. */
export function checkMinibatchOptions({ method, part }: MeasureOptions): void {
  if (isSampled(method)) {
    throw new Error(SAMPLING_NEEDS_DATA);
  }
  if (isHutchinson(method)) {
    throw new Error(HESSIAN_NEEDS_DATA);
  }
  if (part !== undefined) {
    throw new Error(PART_NEEDS_DATA);
  }
}

/** Minibatches come without labels. */
const HESSIAN_NEEDS_DATA =
  "method: traces of the Hessian depend on the labels, which minibatches come without. Pass { data, labels }, or method: 'exact'.";

/** Sampling pays off over a whole set; a minibatch is measured in full. */
const SAMPLING_NEEDS_DATA =
  "method: pairs are drawn from a whole set, not from a minibatch. Pass { data } with it, or method: 'exact'.";

/** A minibatch is a part of the data already. */
const PART_NEEDS_DATA = 'part: it is a part of data, not of a minibatch. Pass { data } with it.';

function measureModel(
  model: tfl.LayersModel,
  inputs: unknown,
  options: MeasureOptions,
  spread: boolean,
): Promise<SharpnessReading> {
  return measureSubject(modelAssignment(model, inputs, options), spread);
}

/** A model and its data. */
export function modelAssignment(model: tfl.LayersModel, inputs: unknown, options: MeasureOptions): Assignment {
  return {
    makeSubject: () => subjectOfModel(model, options),
    inputs,
    options,
    check: (subject, batch) => checkMaskedForward(model, subject.graph, batch),
  };
}

/**
 * Measures whatever a subject is made of.
 *
 * @param spread whether the inputs are a random part of what the value shall speak for.
 */
export async function measureSubject(assignment: Assignment, spread: boolean): Promise<SharpnessReading> {
  const start = performance.now();
  return withTask(assignment, async (task, subject) => {
    const { method = 'exact' } = assignment.options;
    if (isHutchinson(method)) {
      return readingOf(subject, await hessianTraces(task, method.hutchinson), start, true);
    }
    if (spread) {
      return readingOf(subject, await minibatchTraces(task), start);
    }
    const share = isSampled(method) ? await sampledShare(task, method) : await exactShare(task);
    return readingOf(subject, estimateOfShares([share], task.heads), start);
  });
}

/**
 * Minimum Sharpness and all that a reading says, from estimated traces.
 *
 * @param start when the measurement began, by `performance.now()`.
 * @param ofHessian whether the traces are those of the Hessian itself.
 */
export function readingOf(
  { graph, heads, symmetry, assumptions: ofSubject }: Omit<Subject, 'source'>,
  estimate: Estimate,
  start: number,
  ofHessian = false,
): SharpnessReading {
  const { traces } = estimate;
  const positive = traces.map((trace) => Math.max(0, trace));
  const { value, exponents, scales, assumptions } = minimizeOverScales(symmetry, positive);
  // By the envelope theorem, the spread of MS is that of the traces at the optimal scales held fixed.
  const error = estimate.errorOf(factorsOf(exponents));
  const notExact = ofHessian ? [] : reasonsNotExact(graph);
  const parameters = parametersOf(graph).filter(({ trainable }) => trainable);
  return {
    minimumSharpness: value,
    standardError: error.standardError,
    reliable: error.reliable,
    trace: traces.reduce((sum, trace) => sum + trace, 0),
    parameters: parameters.map(({ name, layer }, b) => ({
      name,
      layer: layer.name,
      trace: traces[b],
      standardError: estimate.errorOf(traces.map((_, c) => (c === b ? 1 : 0))).standardError,
    })),
    scales,
    samples: estimate.samples,
    pairs: estimate.pairs,
    exact: notExact.length === 0,
    assumptions: [
      ...notExact,
      ...headAssumptions(heads),
      ...regularizerAssumptions(graph),
      ...ofSubject,
      ...assumptions,
      ...estimate.assumptions,
      ...negativeTraces(parameters, traces),
      ...(error.reliable ? [] : [estimate.unreliable]),
    ],
    durationMs: performance.now() - start,
  };
}

/** The trace of a Hessian block may be negative. Rescaled, it has no bound, so that the minimum cannot count it. */
function negativeTraces(parameters: readonly Parameter[], traces: readonly number[]): string[] {
  const names = parameters.flatMap(({ name }, b) => (traces[b] < 0 ? [`'${name}'`] : []));
  return names.length > 0
    ? [`The trace of ${names.join(', ')} is negative, which no rescaling bounds: in Minimum Sharpness it counts as 0.`]
    : [];
}
