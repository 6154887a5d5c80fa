import { asWritten, checkBoolean, checkKnownOptions, checkNumber, checkWhole } from '../checks.js';
import type { SampleWeights, TensorInputs } from './inputs.js';
import { checkLoss, checkLossWeights, type Losses, type LossWeights } from './loss.js';
import { type ClassWeights, checkClassWeight, checkSampleWeight } from './sample-weights.js';

/** How far a measurement has come. */
export interface MeasureProgress {
  /** Samples measured so far. */
  readonly samples: number;
  /** All samples that will be run. Undefined for a dataset, whose length is not known before its end. */
  readonly total: number | undefined;
  /** Backward rows run so far, one for each pair of sample and column: what takes the time. 0 in the forward pass that pairs are drawn by. */
  readonly rows: number;
  /**
   * All backward rows that are planned: undefined where that is not known, as for a dataset that is measured exactly. With a tolerance
   * it grows whenever more pairs are needed.
   */
  readonly totalRows: number | undefined;
  /**
   * How long the backward rows that are left will take, in ms, by what those so far have taken. Undefined while that is not known:
   * before the first of them, and where their number is not planned.
   */
  readonly timeLeftMs: number | undefined;
}

/** Every pair of sample and column, a few drawn by their curvature, or the Hessian's own traces with random probes. */
export type MeasureMethod =
  | 'exact'
  | { readonly pairs: number; readonly tolerance?: never; readonly hutchinson?: never }
  | { readonly tolerance: number; readonly pairs?: never; readonly hutchinson?: never }
  | { readonly hutchinson: number; readonly pairs?: never; readonly tolerance?: never };

/** What costs little on a whole set, early and late in training: of the callback with `data`, and of shares of the data. */
export const DEFAULT_METHOD = { tolerance: 0.02 } as const;

/** The methods that draw pairs. */
export type SampledMethod =
  | { readonly pairs: number; readonly tolerance?: never }
  | { readonly tolerance: number; readonly pairs?: never };

export interface MeasureOptions {
  /**
   * The loss that is trained, by name or by a factor of its output Hessian; for several outputs one each, in their order or
   * by name. Outputs that are not named do not count. Default: what the model was compiled with.
   */
  readonly loss?: Losses;
  /** What each output counts in the whole loss, in their order or by name. Default 1 each, as tf.js adds losses up. */
  readonly lossWeights?: LossWeights;
  /**
   * `'exact'` (default): every sample and every column. Otherwise the traces are estimated from a few (sample, column)
   * pairs, drawn by their curvature after one forward pass over all samples, with honest standard errors:
   * - `{ pairs: n }`: n pairs in all.
   * - `{ tolerance: 0.01 }`: as many pairs as it takes until the relative standard error of Minimum Sharpness is at most
   *   this, from 256 on, or as many as the last reading needed, half as many again each time; or every pair, where readings of this
   *   network have shown that this costs less. `reading.method` says which; either way the error is what it says. A dataset is
   *   read once, and as many pairs are kept as `memoryMB` holds rows of its inputs, 256 to 8,192.
   *
   * Where that would be all pairs, or half of them for a tolerance, the value is exact. An output with positions (a
   * sequence, pixels) has a column for each position and class: pairs are then (sample, position, column) triples.
   *
   * `{ hutchinson: probes }` gives the traces of the Hessian itself where Gauss-Newton's differ (smooth activations, a layer called
   * twice): those exactly, plus the trace of the network's own curvature from differences of gradients along random signs, two
   * gradients for each probe and each weight tensor concerned. Needs `labels`; `standardError` is that of the probes.
   */
  readonly method?: MeasureMethod;
  /**
   * Chooses the pairs, and the samples of a `part`: a whole number, default 0. Math.random is not touched. The same seed gives the same
   * reading, but with `{ tolerance }`, which goes by what the readings before took: for the same digits every time there are
   * `{ pairs }` and `'exact'`.
   */
  readonly seed?: number;
  /**
   * Share of the samples to run, in (0, 1], default 1: for data too large for a forward pass over all of it. They are drawn at
   * random, by `seed`; of a dataset all samples are read, and each is run with this probability. The value still speaks for
   * all of it, and `standardError` includes what the choice of samples adds, with the spread of the curvature s^2 between the
   * n samples run, of N: (1 - n/N) s^2 / n besides the error of the pairs. Late in training a few samples hold most of
   * the curvature; the error says so, and `reliable` is false where it rests on a few. The part of tensors is copied, besides
   * `memoryMB`. With a tolerance, pairs are added only until the choice of samples makes nine tenths of the variance.
   */
  readonly part?: number;
  /**
   * Upper bound of the extra tensor memory, in units of 2^20 bytes. Default 1024 on tfjs-node, on tfjs-node-gpu a quarter of what is left
   * on the card, between 256 and 8192, on WebGPU a quarter of the device's largest buffer, between 256 and 1024, otherwise 256.
   */
  readonly memoryMB?: number;
  /**
   * Weights of the samples, [N], or of the positions of an output, [N, ...positions], at least 0, for all outputs or by
   * output: the loss is then (1/N) sum_n weight_n l_n, as Keras has it. Of a dataset they are in the order in which it yields its
   * samples; it may also yield them itself, as { xs, ys, sampleWeight }.
   */
  readonly sampleWeight?: SampleWeights;
  /**
   * Weights of the classes, by class or by output and class, as `model.fit` has them: a sample counts with the weight of its
   * class. Needs labels: `labels`, or { xs, ys }.
   */
  readonly classWeight?: ClassWeights;
  /**
   * Labels as for `model.fit`, one tensor an output: rows as long as the output is wide, or numbers of classes. The Hessian of softmax
   * cross-entropy counts a sample, or position, as many times as its row adds up to: a row of zeros not at all. Without labels every
   * row is taken to add up to 1, and the reading's `assumptions` say so. `classWeight` and `{ hutchinson }` need them. For tensors;
   * { xs, ys }, also of a dataset, has its own.
   */
  readonly labels?: TensorInputs;
  /**
   * Whether weights that training leaves alone count as if they were trained. Default false. What is trained, `compile` decides: a
   * layer that is set free afterwards is not. Of a model that is not compiled it is what `trainable` says.
   */
  readonly countFrozen?: boolean;
  /**
   * How many of the largest eigenvalues of the Gauss-Newton matrix to find too, from 1 to 32; see `reading.topEigenvalues`. They come
   * from as many pairs as `{ pairs }` says, at most 1,024, otherwise from 512, which are drawn by their curvature after a forward pass; of no more than
   * 1,024 pairs in all, from every pair. Not with `{ hutchinson }`.
   */
  readonly eigenvalues?: number;
  /** Stops a measurement at the event loop's next turn; it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /**
   * Called after every chunk, and between the pieces of a chunk whose samples have many columns. A promise that it returns is waited
   * for. What it throws or rejects with ends the measurement.
   */
  readonly onProgress?: (progress: MeasureProgress) => void;
}

/** Whether a method draws pairs. */
export function isSampled(method: MeasureOptions['method']): method is SampledMethod {
  return method !== undefined && method !== 'exact' && !isHutchinson(method);
}

/** Whether a method gives the traces of the Hessian itself. */
export function isHutchinson(method: MeasureOptions['method']): method is { readonly hutchinson: number } {
  return typeof method === 'object' && method.hutchinson !== undefined;
}

/** Every option of `measureSharpness`. */
export const measureOptionNames = {
  loss: true,
  lossWeights: true,
  method: true,
  part: true,
  seed: true,
  memoryMB: true,
  sampleWeight: true,
  classWeight: true,
  labels: true,
  countFrozen: true,
  eigenvalues: true,
  signal: true,
  onProgress: true,
} satisfies Record<keyof MeasureOptions, true>;

/** Those that say what network is measured, rather than how. */
export const networkOptionNames = { loss: true, lossWeights: true, countFrozen: true } as const;

/** @throws Error with one line for options that there are not or that are out of range, whatever the model. */
export function checkMeasureOptions(options: MeasureOptions): void {
  checkKnownOptions('measureSharpness', options, measureOptionNames);
  const {
    loss,
    lossWeights,
    method,
    part,
    memoryMB,
    seed,
    sampleWeight,
    classWeight,
    countFrozen,
    eigenvalues,
    signal,
    onProgress,
  } = options;
  if (loss !== undefined) {
    checkLoss(loss);
  }
  if (lossWeights !== undefined) {
    checkLossWeights(lossWeights);
  }
  if (method !== undefined && method !== 'exact') {
    checkMethod(method);
  }
  if (part !== undefined) {
    checkNumber('part', part, { above: 0, atMost: 1 }, 'pass a share of the samples, for example 0.1');
  }
  if (part !== undefined && part < 1 && isHutchinson(method)) {
    throw new Error("part goes with method: 'exact', { pairs } or { tolerance }, not with { hutchinson }.");
  }
  if (seed !== undefined) {
    checkWhole('seed', seed);
  }
  if (memoryMB !== undefined) {
    checkNumber('memoryMB', memoryMB, { above: 0 }, 'pass megabytes, for example 256');
  }
  if (sampleWeight !== undefined) {
    checkSampleWeight(sampleWeight);
  }
  if (classWeight !== undefined) {
    checkClassWeight(classWeight);
  }
  if (countFrozen !== undefined) {
    checkBoolean('countFrozen', countFrozen);
  }
  if (eigenvalues !== undefined) {
    checkWhole('eigenvalues', eigenvalues, { atLeast: 1, atMost: 32 }, 'pass how many are wanted, for example 5');
    if (isHutchinson(method)) {
      throw new Error(
        "eigenvalues are those of the Gauss-Newton matrix: they go with method: 'exact', { pairs } or { tolerance }, not with " +
          '{ hutchinson }.',
      );
    }
  }
  // Not `throwIfAborted`, which a signal of React Native has not.
  if (signal !== undefined && (typeof signal?.aborted !== 'boolean' || typeof signal.addEventListener !== 'function')) {
    throw new Error('signal must be an AbortSignal: pass controller.signal.');
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new Error('onProgress must be a function.');
  }
}

/** @throws Error with one line unless it is { pairs }, { tolerance } or { hutchinson }, in range. */
function checkMethod(method: unknown): void {
  const entries = typeof method === 'object' && method !== null ? Object.entries(method) : [];
  const given = entries.filter(([, value]) => value !== undefined);
  const [kind, value] = given[0] ?? [];
  if (given.length !== 1 || (kind !== 'pairs' && kind !== 'tolerance' && kind !== 'hutchinson')) {
    throw new Error(
      `method: ${asWritten(method)} is not known. Pass 'exact', { pairs: 256 }, { tolerance: 0.01 } or { hutchinson: 30 }.`,
    );
  }
  const name = `method: ${kind}`;
  if (kind === 'hutchinson') {
    checkWhole(name, value, { atLeast: 2 }, 'pass a number of probes, for example 30');
  }
  if (kind === 'pairs') {
    checkWhole(name, value, { atLeast: 2 }, 'pass a number of pairs, for example 256');
  }
  if (kind === 'tolerance') {
    checkNumber(name, value, { above: 0, below: 1 }, 'pass a relative error, for example 0.01 for one percent');
  }
}
