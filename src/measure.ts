import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { headAssumptions, reasonsNotExact, regularizerAssumptions } from './assumptions.js';
import { parametersOf } from './curvature/graph.js';
import type { Parameter } from './curvature/operation.js';
import { type Data, exactTraces, factorsOf, hessianTraces, sampledTraces, type Task } from './estimate.js';
import { checkFiniteInputs, checkFiniteWeights } from './finite.js';
import { type DatasetInputs, isDataset, type TensorInputs } from './inputs.js';
import { checkMaskedForward } from './masked-forward.js';
import { checkSameEngine } from './module-identity.js';
import { checkMeasureOptions, isHutchinson, isSampled, type MeasureOptions } from './options.js';
import type { SharpnessReading } from './reading.js';
import { checkRepeatableForward } from './repeatable-forward.js';
import { type Subject, subjectOfModel } from './subject.js';
import { minimizeOverScales } from './symmetry/minimum.js';

/** What can be measured: tensors of samples, or a batched dataset of them. */
export type SharpnessInputs = TensorInputs | DatasetInputs;

const DEFAULT_MEMORY_MB = 256;
/** Longest time for which a measurement keeps the event loop to itself, chunks permitting. */
const YIELD_MS = 50;

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
 * @returns the reading; `standardError` is 0 with the exact method, since every given sample is measured.
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
  if (isSampled(options.method) || isHutchinson(options.method)) {
    return Promise.reject(new Error(isSampled(options.method) ? SAMPLING_NEEDS_DATA : HESSIAN_NEEDS_DATA));
  }
  return measureModel(model, inputs, options, true);
}

/** Minibatches come without labels. */
export const HESSIAN_NEEDS_DATA =
  "method: traces of the Hessian depend on the labels, which minibatches come without. Pass { data, labels }, or method: 'exact'.";

/** Sampling pays off over a whole set; a minibatch is measured in full. */
export const SAMPLING_NEEDS_DATA =
  "method: pairs are drawn from a whole set, not from a minibatch. Pass { data } with it, or method: 'exact'.";

async function measureModel(
  model: tfl.LayersModel,
  inputs: unknown,
  options: MeasureOptions,
  spread: boolean,
): Promise<SharpnessReading> {
  checkMeasureOptions(options);
  return measureSubject(
    () => subjectOfModel(model, options),
    inputs,
    options,
    spread,
    (subject, batch) => checkMaskedForward(model, subject.graph, batch),
  );
}

/**
 * Measures whatever a subject is made of.
 *
 * @param makeSubject takes it apart; called after the options are known to be right.
 * @param spread whether the inputs are a random part of what the value shall speak for.
 * @param check sees the first inputs.
 */
export async function measureSubject(
  makeSubject: () => Subject,
  inputs: unknown,
  options: MeasureOptions,
  spread: boolean,
  check: (subject: Subject, inputs: readonly tf.Tensor[]) => void = () => {},
): Promise<SharpnessReading> {
  const start = performance.now();
  checkMeasureOptions(options);
  options.signal?.throwIfAborted();
  const subject = makeSubject();
  const { graph, heads, symmetry } = subject;
  const { method = 'exact', memoryMB = DEFAULT_MEMORY_MB, seed = 0 } = options;
  const tensors = isDataset(inputs) ? null : subject.inputs(inputs);
  checkSameEngine(subject.weights, tensors ?? undefined);
  const total = tensors?.[0].shape[0];
  if (total === undefined && options.sampleWeight !== undefined) {
    throw new Error('sampleWeight goes with tensors, not with a dataset: pass the inputs as tensors.');
  }
  const weights = tensors ? await subject.lossInputs(total as number, options.labels) : [];
  try {
    await checkFiniteWeights(subject.weights);
    let lastYield = performance.now();
    const pause = async (samples: number) => {
      options.onProgress?.({ samples, total });
      if (performance.now() - lastYield > YIELD_MS) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        lastYield = performance.now();
      }
      options.signal?.throwIfAborted();
    };
    let first = true;
    const checked = async (batch: readonly tf.Tensor[], ofBatch: readonly tf.Tensor[], run: Run) => {
      await checkFiniteInputs(subject.inputNames, batch);
      if (first) {
        check(subject, batch);
        checkRepeatableForward(subject.graph, [...batch, ...ofBatch]);
      }
      first = false;
      await run([...batch, ...ofBatch]);
    };
    const data: Data = {
      tensors: tensors && [...tensors, ...weights],
      eachBatch: async (run) => {
        if (tensors) {
          await checked(tensors, weights, run);
          return;
        }
        await forEachItem(inputs as DatasetInputs, async (item) => {
          const { inputs: batch, labels } = subject.item(item);
          const ofBatch = await subject.lossInputs(batch[0].shape[0], labels);
          try {
            await checked(batch, ofBatch, run);
          } finally {
            tf.dispose(ofBatch);
          }
        });
      },
    };
    const task: Task = { graph, heads, symmetry, data, budgetBytes: memoryMB * 2 ** 20, seed, pause };
    const estimate =
      (isHutchinson(method) && (await hessianTraces(task, method.hutchinson))) ||
      (isSampled(method) && (await sampledTraces(task, method))) ||
      (await exactTraces(task, spread, subject.source));
    const { traces } = estimate;
    const positive = traces.map((trace) => Math.max(0, trace));
    const { value, exponents, scales, assumptions } = minimizeOverScales(symmetry, positive);
    // By the envelope theorem, the spread of MS is that of the traces at the optimal scales held fixed.
    const error = estimate.errorOf(factorsOf(exponents));
    const notExact = isHutchinson(method) ? [] : reasonsNotExact(graph);
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
        ...subject.assumptions,
        ...assumptions,
        ...estimate.assumptions,
        ...negativeTraces(parameters, traces),
        ...(error.reliable ? [] : [UNRELIABLE]),
      ],
      durationMs: performance.now() - start,
    };
  } finally {
    tf.dispose(weights);
  }
}

type Run = (batch: readonly tf.Tensor[]) => Promise<void>;

/** The trace of a Hessian block may be negative. Rescaled, it has no bound, so that the minimum cannot count it. */
function negativeTraces(parameters: readonly Parameter[], traces: readonly number[]): string[] {
  const names = parameters.flatMap(({ name }, b) => (traces[b] < 0 ? [`'${name}'`] : []));
  return names.length > 0
    ? [`The trace of ${names.join(', ')} is negative, which no rescaling bounds: in Minimum Sharpness it counts as 0.`]
    : [];
}

const UNRELIABLE =
  'The standard error is not reliable, because a few of the sampled pairs make most of it: ask for more pairs.';

/** Runs through a dataset once. What it yields is disposed, as `fitDataset` does. */
async function forEachItem(dataset: DatasetInputs, run: (item: unknown) => Promise<void>): Promise<void> {
  const iterator = await dataset.iterator();
  let empty = true;
  for (let item = await iterator.next(); !item.done; item = await iterator.next()) {
    empty = false;
    try {
      await run(item.value);
    } finally {
      tf.dispose(item.value as tf.TensorContainer);
    }
  }
  if (empty) {
    throw new Error(
      'The dataset yielded no samples. A dataset made from a generator can be read again only if the generator can.',
    );
  }
}
