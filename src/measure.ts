import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { type Graph, parametersOf, unfold } from './curvature/graph.js';
import { type LossName, outputHessians } from './curvature/output-hessian.js';
import { type PairSample, SampledTraces } from './curvature/pair-sample.js';
import { type PairSampler, pairSampler, type SampleSize } from './curvature/sampled.js';
import { planSteps } from './curvature/tape.js';
import { traceKernel } from './curvature/trace.js';
import { TraceSums } from './curvature/trace-sums.js';
import { checkFiniteInputs, checkFiniteWeights } from './finite.js';
import { type DatasetInputs, inputNames, isDataset, orderedInputs, orderedItem, type TensorInputs } from './inputs.js';
import { checkLossName, cutAtLoss, lossOf } from './loss.js';
import { checkSameEngine } from './module-identity.js';
import type { SharpnessReading } from './reading.js';
import { minimizeOverScales } from './symmetry/minimum.js';
import { scaleSymmetry } from './symmetry/potentials.js';

/** What can be measured: tensors of samples, or a batched dataset of them. */
export type SharpnessInputs = TensorInputs | DatasetInputs;

/** How far a measurement has come. */
export interface MeasureProgress {
  /** Samples measured so far. */
  readonly samples: number;
  /** All samples. Undefined for a dataset, whose length is not known before its end. */
  readonly total: number | undefined;
}

/** Every pair of sample and column, or a few drawn by their curvature. */
export type MeasureMethod =
  | 'exact'
  | { readonly pairs: number; readonly tolerance?: never }
  | { readonly tolerance: number; readonly pairs?: never };

export interface MeasureOptions {
  /** The loss that is trained. Default: the one that the model was compiled with. */
  loss?: LossName;
  /**
   * `'exact'` (default): every sample and every column. Otherwise the traces are estimated from a few (sample, column)
   * pairs, drawn by their curvature after one forward pass over all samples, with honest standard errors:
   * - `{ pairs: n }`: n pairs in all.
   * - `{ tolerance: 0.01 }`: as many pairs as it takes until the relative standard error of Minimum Sharpness is at most
   *   this, from 128 on and doubling. A dataset is read once, and 8,192 pairs are kept at most.
   *
   * Where that would be all pairs, or half of them for a tolerance, the value is exact.
   */
  method?: MeasureMethod;
  /** Chooses the pairs: a whole number, default 0. The same seed gives the same reading; Math.random is not touched. */
  seed?: number;
  /** Upper bound of the extra tensor memory, in units of 2^20 bytes. Default 256. */
  memoryMB?: number;
  /**
   * One weight a sample, at least 0: the loss is then (1/N) sum_n weight_n l_n, as Keras has it. Goes with tensors, not
   * with datasets.
   */
  sampleWeight?: tf.Tensor1D | readonly number[] | Float32Array;
  /** Stops a measurement between two chunks; it rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called after every chunk. */
  onProgress?: (progress: MeasureProgress) => void;
}

const DEFAULT_MEMORY_MB = 256;
/** First sample on the way to a tolerance. */
const FIRST_PAIRS = 128;
/** Pairs of a dataset that are kept with their input rows on the way to a tolerance. */
const MOST_STREAMED_PAIRS = 8192;
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
 * @param model a built model with one output of shape [N, K].
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
  return measure(model, inputs, options, false);
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
  if (isSampled(options.method)) {
    return Promise.reject(new Error(SAMPLING_NEEDS_DATA));
  }
  return measure(model, inputs, options, true);
}

/** Sampling pays off over a whole set; a minibatch is measured in full. */
export const SAMPLING_NEEDS_DATA =
  "method: pairs are drawn from a whole set, not from a minibatch. Pass { data } with it, or method: 'exact'.";

/** Whether a method draws pairs. */
export function isSampled(method: MeasureOptions['method']): method is Exclude<MeasureMethod, 'exact'> {
  return method !== undefined && method !== 'exact';
}

/** @throws Error with one line for options that are out of range, whatever the model. */
export function checkMeasureOptions(options: MeasureOptions): void {
  const { loss, method, memoryMB, seed, sampleWeight, signal, onProgress } = options;
  if (loss !== undefined) {
    checkLossName(loss);
  }
  if (isSampled(method)) {
    checkSampling(method);
  }
  if (seed !== undefined && !Number.isSafeInteger(seed)) {
    throw new RangeError(`seed: ${seed} is not a whole number. Pass one, for example 1.`);
  }
  if (memoryMB !== undefined && !(Number.isFinite(memoryMB) && memoryMB > 0)) {
    throw new RangeError(`memoryMB: ${memoryMB} is not a positive number. Pass megabytes, for example 256.`);
  }
  if (sampleWeight !== undefined && !(sampleWeight instanceof tf.Tensor) && typeof sampleWeight?.length !== 'number') {
    throw new Error('sampleWeight must be a 1-d tensor or an array of numbers, one for each sample.');
  }
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    throw new Error('signal must be an AbortSignal: pass controller.signal.');
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new Error('onProgress must be a function.');
  }
}

/** @throws Error with one line unless it is { pairs } or { tolerance }, in range. */
function checkSampling(method: unknown): void {
  const entries = typeof method === 'object' && method !== null ? Object.entries(method) : [];
  const given = entries.filter(([, value]) => value !== undefined);
  const [kind, value] = given[0] ?? [];
  if (given.length !== 1 || (kind !== 'pairs' && kind !== 'tolerance')) {
    throw new Error(
      `method: ${JSON.stringify(method)} is not known. Pass 'exact', { pairs: 256 } or { tolerance: 0.01 }.`,
    );
  }
  if (kind === 'pairs' && !(Number.isSafeInteger(value) && (value as number) >= 2)) {
    throw new RangeError(`method: pairs is ${value}. Pass a whole number of at least 2, for example 256.`);
  }
  if (kind === 'tolerance' && !(typeof value === 'number' && value > 0 && value < 1)) {
    throw new RangeError(
      `method: tolerance is ${value}. Pass a relative error between 0 and 1, for example 0.01 for one percent.`,
    );
  }
}

async function measure(
  model: tfl.LayersModel,
  inputs: unknown,
  options: MeasureOptions,
  spread: boolean,
): Promise<SharpnessReading> {
  const start = performance.now();
  checkMeasureOptions(options);
  options.signal?.throwIfAborted();
  checkModel(model);
  const loss = lossOf(model, options.loss);
  const { graph, hessian } = cutAtLoss(unfold(model), loss);
  checkOutput(model, loss);
  const { method = 'exact', memoryMB = DEFAULT_MEMORY_MB, seed = 0 } = options;
  const kernel = traceKernel(graph, hessian, memoryMB * 2 ** 20);
  const sampler = isSampled(method) ? pairSampler(graph, hessian, memoryMB * 2 ** 20, seed) : null;
  const tensors = isDataset(inputs) ? null : orderedInputs(model, inputs);
  checkSameEngine(model, tensors ?? undefined);
  const total = tensors?.[0].shape[0];
  const weights = await sampleWeightValues(options.sampleWeight, total);
  await checkFiniteWeights(model);

  let lastYield = performance.now();
  const pause = async (samples: number) => {
    options.onProgress?.({ samples, total });
    if (performance.now() - lastYield > YIELD_MS) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      lastYield = performance.now();
    }
    options.signal?.throwIfAborted();
  };
  const eachBatch = async (run: (batch: tf.Tensor[]) => Promise<void>) => {
    const checked = async (batch: tf.Tensor[]) => {
      await checkFiniteInputs(inputNames(model), batch);
      await run(batch);
    };
    await (tensors ? checked(tensors) : forEachBatch(model, inputs as DatasetInputs, checked));
  };
  const symmetry = scaleSymmetry(graph);

  const exact = async (): Promise<Estimate> => {
    const sums = new TraceSums(kernel.parameters.length);
    await eachBatch(async (batch) => {
      for await (const chunk of kernel.traces(batch)) {
        sums.add(chunk, weights?.subarray(sums.samples));
        await pause(sums.samples);
      }
    });
    const { traces, samples, pairs } = sums;
    const errorOf = (factors: readonly number[]) => ({
      standardError: spread ? sums.standardError(factors) : 0,
      reliable: true,
    });
    return { traces, samples, pairs, errorOf, assumptions: [] };
  };

  /** Null where all pairs are to be measured. */
  const sampled = async (by: PairSampler, { pairs, tolerance }: Exclude<MeasureMethod, 'exact'>) => {
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
    if (tensors) {
      await eachBatch(async () => {
        sample = await by.ofTensors(tensors, weights, size, pause);
      });
    } else {
      const stream = by.ofStream(pairs ?? MOST_STREAMED_PAIRS);
      await eachBatch((batch) => stream.add(batch, pause));
      sample = await stream.finish(size, pause);
    }
    if (sample === null) {
      return null;
    }
    const found = new SampledTraces([sample]);
    const assumptions = samplingAssumptions(loss, found, isAccurate(found) ? undefined : tolerance);
    return { ...found, errorOf: (factors: readonly number[]) => found.errorOf(factors), assumptions };
  };

  const estimate: Estimate = (sampler && isSampled(method) && (await sampled(sampler, method))) || (await exact());
  const { traces } = estimate;
  const { value, exponents, scales, assumptions } = minimizeOverScales(symmetry, traces);
  // By the envelope theorem, the spread of MS is that of the traces at the optimal scales held fixed.
  const error = estimate.errorOf(factorsOf(exponents));
  const notExact = reasonsNotExact(graph);
  return {
    minimumSharpness: value,
    standardError: error.standardError,
    reliable: error.reliable,
    trace: traces.reduce((sum, trace) => sum + trace, 0),
    parameters: kernel.parameters.map(({ name, layer }, b) => ({
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
      ...statedAssumptions(graph),
      ...(scales.length === 0 ? ['No layers can exchange scale here, so Minimum Sharpness is the plain trace.'] : []),
      ...assumptions,
      ...estimate.assumptions,
      ...(error.reliable ? [] : [UNRELIABLE]),
    ],
    durationMs: performance.now() - start,
  };
}

/** Traces and the errors of what is made of them. */
interface Estimate {
  readonly traces: readonly number[];
  readonly samples: number;
  readonly pairs: number;
  readonly assumptions: readonly string[];
  /** Error of sum_b factors_b T_b. */
  errorOf(factors: readonly number[]): { readonly standardError: number; readonly reliable: boolean };
}

/** exp(-2 e_b): what the optimal scales make of each trace. */
function factorsOf(exponents: readonly number[]): number[] {
  return exponents.map((exponent) => Math.exp(-2 * exponent));
}

const UNRELIABLE =
  'The standard error is not reliable, because a few of the sampled pairs make most of it: ask for more pairs.';

/** What a sampled value takes for granted, one sentence each. */
function samplingAssumptions(loss: LossName, sample: SampledTraces, missed: number | undefined): string[] {
  const assumptions: string[] = [];
  if (sample.pairs > 0 && loss === 'meanSquaredError') {
    assumptions.push(
      'Squared error weighs all outputs alike, so that sampling can only go by the activations and gains less.',
    );
  }
  if (missed !== undefined) {
    assumptions.push(
      `A relative standard error of ${missed} would need more than the ${MOST_STREAMED_PAIRS} pairs that are kept of a ` +
        'dataset: pass tensors, or { pairs }.',
    );
  }
  return assumptions;
}

/** @throws Error with one line for a model that is not built or has nothing to measure. */
export function checkModel(model: tfl.LayersModel): void {
  if (typeof model?.getClassName !== 'function' || !('trainableWeights' in model)) {
    throw new Error('model must be a tf.LayersModel, from tf.sequential, tf.model or tf.loadLayersModel.');
  }
  // `model.built` stays false in a Sequential until something runs it, though its graph is there.
  if (!model.inputs?.length || !model.outputs?.length) {
    throw new Error('The model is not built: give its first layer an inputShape, or call model.build(inputShape).');
  }
  if (model.weights.length === 0) {
    throw new Error('The model has no weights, so it has no sharpness: add a layer with weights.');
  }
  if (model.trainableWeights.length === 0) {
    throw new Error('The model has no trained weights, every layer is frozen: set trainable = true on some layer.');
  }
}

/** @throws Error with one line when the output is not one row of numbers a sample. */
export function checkOutput(model: tfl.LayersModel, loss: LossName): void {
  const { shape } = model.outputs[0];
  if (shape.length !== 2) {
    throw new Error(
      `The model's output has shape [${shape.map((size) => size ?? 'any').join(', ')}], and sharpness is measured for ` +
        'outputs of shape [samples, K]: flatten or pool the positions.',
    );
  }
  if (shape[1] === 1 && outputHessians[loss].columns(1) === 0) {
    throw new Error(
      `Loss '${loss}' over one class is constant: use two outputs or more, or 'binaryCrossentropy' after a sigmoid.`,
    );
  }
}

/** @throws Error with one line when the weights do not fit the samples. */
async function sampleWeightValues(
  weights: MeasureOptions['sampleWeight'],
  samples: number | undefined,
): Promise<Float32Array | Float64Array | undefined> {
  if (weights === undefined) {
    return undefined;
  }
  if (samples === undefined) {
    throw new Error('sampleWeight goes with tensors, not with a dataset: pass the inputs as tensors.');
  }
  const values = weights instanceof tf.Tensor ? ((await weights.data()) as Float32Array) : Float64Array.from(weights);
  if (values.length !== samples) {
    throw new Error(`sampleWeight has ${values.length} entries for ${samples} samples: give one for each.`);
  }
  const wrong = values.findIndex((value) => !(value >= 0 && value < Number.POSITIVE_INFINITY));
  if (wrong >= 0) {
    throw new Error(`sampleWeight[${wrong}] is ${values[wrong]}: weights are finite and at least 0.`);
  }
  return values;
}

/** Runs through a dataset once. What it yields is disposed, as `fitDataset` does. */
async function forEachBatch(
  model: tfl.LayersModel,
  dataset: DatasetInputs,
  run: (batch: tf.Tensor[]) => Promise<void>,
): Promise<void> {
  const iterator = await dataset.iterator();
  let empty = true;
  for (let item = await iterator.next(); !item.done; item = await iterator.next()) {
    empty = false;
    try {
      await run(orderedItem(model, item.value));
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

/** Why the traces are those of the Gauss-Newton matrix only, one sentence each; none where they are the Hessian's. */
function reasonsNotExact(graph: Graph): string[] {
  const plan = planSteps(graph).filter(({ carriesDelta, leavesNorms }) => carriesDelta || leavesNorms);
  const smooth = new Set(
    plan
      .filter(({ step }) => !step.operation.piecewiseLinear)
      .map(({ step }) => `${step.operation.description} of '${step.operation.layer.name}'`),
  );
  const operations = plan.filter(({ leavesNorms }) => leavesNorms).map(({ step }) => step.operation);
  const shared = new Set(
    operations.filter((operation, i) => operations.indexOf(operation) !== i).map(({ layer }) => `'${layer.name}'`),
  );
  const reasons: string[] = [];
  if (smooth.size > 0) {
    reasons.push(`Traces are of the Gauss-Newton matrix, not the Hessian, because of the ${[...smooth].join(', ')}.`);
  }
  if (shared.size > 0) {
    reasons.push(
      `Traces are of the Gauss-Newton matrix, not the Hessian, because ${[...shared].join(', ')} is called several times.`,
    );
  }
  return reasons;
}

/** What the value takes for granted or leaves out, one sentence each. */
function statedAssumptions(graph: Graph): string[] {
  const layers = new Set(graph.steps.map(({ operation }) => operation.layer));
  const named = (test: (layer: tfl.layers.Layer) => boolean) =>
    [...layers]
      .filter(test)
      .map(({ name }) => `'${name}'`)
      .join(', ');
  const assumptions: string[] = [];
  const frozenWeights = parametersOf(graph).filter((each) => !each.trainable);
  const frozen = named((layer) => frozenWeights.some((each) => each.layer === layer));
  if (frozen) {
    assumptions.push(`The frozen weights of ${frozen} are left out.`);
  }
  const normalizing = named((layer) => layer.getClassName() === 'BatchNormalization');
  if (normalizing) {
    assumptions.push(`Batch normalization (${normalizing}) is measured as in inference, with its moving statistics.`);
  }
  const resetting = new Set(
    graph.steps.flatMap(({ operation }) => (operation.scale === 'resets' ? [`'${operation.layer.name}'`] : [])),
  );
  if (resetting.size > 0) {
    assumptions.push(
      `Normalization (${[...resetting].join(', ')}) takes away the scale of its input: weights in front of it can be scaled ` +
        'up without changing the function (with epsilon in proportion), so that their trace need not count.',
    );
  }
  const regularized = named((layer) => Object.entries(layer).some(([key, value]) => /Regularizer$/.test(key) && value));
  if (regularized) {
    assumptions.push(`The regularizers of ${regularized} are not counted.`);
  }
  return assumptions;
}
