import { trainedParameters } from '../network/graph.js';
import type { LayerScale } from '../symmetry/scale-minimum.js';
import type { LossSums } from '../traces/trace-sums.js';
import {
  CONSTANT,
  flatLosses,
  headAssumptions,
  minimumAssumptions,
  negativeTraceAssumptions,
  partlyCurved,
  reasonsNotExact,
  regularizerAssumptions,
  rowAssumptions,
  SATURATED,
} from './assumptions.js';
import { isConstant, isSaturated } from './collapse.js';
import { digits } from './digits.js';
import type { TopEigenvalues } from './eigenvalue.js';
import { type Estimate, factorsOf } from './methods.js';
import type { Subject } from './subject.js';

/** The trace of one weight tensor. */
export interface ParameterTrace {
  /** `Variable.originalName`, for example `'dense_1/kernel'`. */
  readonly name: string;
  /** Name of the layer that owns the tensor. */
  readonly layer: string;
  /** Trace of this tensor's diagonal block of the loss Hessian, mean over samples. Below 0 with `{ hutchinson }` only. */
  readonly trace: number;
  /**
   * One standard error of `trace`; 0 where it was computed over every sample that the reading speaks for, as the last dense
   * layer's always is.
   */
  readonly standardError: number;
}

/** What one measurement found. All numbers describe the mean loss per sample. */
export interface SharpnessReading {
  /** Training batches seen when the reading was taken; set by the callback. */
  readonly step?: number;
  /** Zero-based epoch in which the reading was taken; set by the callback. */
  readonly epoch?: number;
  /** The Hessian trace, minimised over all rescalings of the layers that leave the function unchanged. */
  readonly minimumSharpness: number;
  /**
   * One standard error of `minimumSharpness` as an estimate for what the reading speaks for; 0 when nothing was sampled. The 95%
   * interval is `minimumSharpness` plus or minus t times this, with the quantile t of Student's distribution: 1.96 for many pairs,
   * and at most 2.09 wherever `reliable` is true.
   */
  readonly standardError: number;
  /**
   * Whether `standardError` can be trusted: then the true value lies within about twice that of `minimumSharpness` in 95 of
   * 100 readings. False where few of the sampled pairs, or of the samples of a `part`, carry most of the error (fewer than 30
   * drawn at random, fewer than 20 degrees of freedom, or a quarter of the variance from one of them): more are needed. True when
   * nothing was sampled.
   */
  readonly reliable: boolean;
  /** The plain Hessian trace, summed over `parameters`. Changes when layers are rescaled. */
  readonly trace: number;
  /** One entry a trainable weight tensor that the loss depends on, in the order in which the network uses them. */
  readonly parameters: readonly ParameterTrace[];
  /** One entry a layer whose scale is free, in the order of the graph. */
  readonly scales: readonly LayerScale[];
  /** Number of samples that the value speaks for. */
  readonly samples: number;
  /**
   * The mean loss per sample, as `fit` logs it but in inference and without regularizers: with the weights of samples and outputs that
   * the reading has. It comes from the forward pass that is run anyway; of a `part` or of pairs it is the mean over all samples run.
   * Undefined where labels, or the value of a loss of the user's own, are not known.
   */
  readonly loss?: number;
  /**
   * Whether the network has collapsed, so that a small value is no sign of a good minimum. Either it is saturated, sure of everything and
   * wrong: of cross-entropies and their like, where `loss` is known, a loss above 0.1 (by output weight), and a mean trace of its Hessian
   * in the outputs of less than 0.001 of it. Or its outputs are the same for all samples, no weight but biases having a trace. `assumptions`
   * say which. Undefined where the first cannot be told.
   */
  readonly collapsed?: boolean;
  /**
   * The largest eigenvalues of the Gauss-Newton matrix, where `eigenvalues` asked for them; undefined where they cannot be had, which
   * `assumptions` say.
   */
  readonly topEigenvalues?: TopEigenvalues;
  /**
   * How it was measured: `'exact'`, every column of every sample that was run; `'sampled'`, from pairs that were drawn, at least of some
   * weight tensor or in some share; `'hutchinson'`, with random probes. It is what `{ tolerance }` chose.
   */
  readonly method: 'exact' | 'sampled' | 'hutchinson';
  /** Backward rows run: one for each (sample, column) pair, and with `{ hutchinson }` two for each sample and probe of a weight tensor. */
  readonly pairs: number;
  /**
   * Whether the traces are those of the Hessian itself, not only of its Gauss-Newton part: in piecewise linear networks, and
   * with `{ hutchinson }` always. Says nothing of sampling.
   */
  readonly exact: boolean;
  /** What the value takes for granted, one plain sentence each. */
  readonly assumptions: readonly string[];
  /** Wall-clock time that the measurement took, in milliseconds. */
  readonly durationMs: number;
}

/**
 * Minimum Sharpness and all that a reading says, from estimated traces.
 *
 * @param start when the measurement began, by `performance.now()`.
 */
export function readingOf(subject: Omit<Subject, 'source'>, estimate: Estimate, start: number): SharpnessReading {
  return printable(measured(subject, estimate, start));
}

/**
 * The same object with a `toString` of its own, so that `${reading}` is one line. It is not enumerable: JSON, copies and comparisons
 * know nothing of it. So a copy by `{ ...reading }` has none.
 */
export function printable<Reading extends SharpnessReading>(reading: Reading): Reading {
  return Object.defineProperty(reading, 'toString', {
    value: () => lineOfReading(reading),
    enumerable: false,
    configurable: true,
  });
}

/** Minimum Sharpness 27.42 ± 0.55 at batch 375, epoch 3 (trace 31.2, 4000 samples, sampled with 256 rows) */
function lineOfReading(reading: SharpnessReading): string {
  const { minimumSharpness, standardError, trace, samples, pairs, step, epoch, method, reliable } = reading;
  const top = reading.topEigenvalues?.given[0];
  const when = [
    ...(step === undefined ? [] : [`batch ${step}`]),
    ...(epoch === undefined ? [] : [`epoch ${epoch + 1}`]), // as tf.js' own output counts
  ];
  const error = standardError > 0 ? ` ± ${digits(standardError, 2)}` : '';
  const how = [
    `trace ${digits(trace)}`,
    ...(top ? [`top eigenvalue ${digits(top.value)}`] : []),
    `${samples} samples`,
    method === 'exact' ? 'exact' : `${method} with ${pairs} rows`,
    ...(reliable ? [] : ['error not reliable']),
  ];
  return `Minimum Sharpness ${digits(minimumSharpness)}${error}${when.length > 0 ? ` at ${when.join(', ')}` : ''} (${how.join(', ')})`;
}

/** The loss of all samples, where it is known and finite: of targets that are no numbers there is none. */
export function knownLoss({ knowsLoss }: Pick<Subject, 'knowsLoss'>, loss: LossSums | undefined): LossSums | undefined {
  return loss && knowsLoss() && Number.isFinite(loss.value) && Number.isFinite(loss.curvature) ? loss : undefined;
}

function measured(subject: Omit<Subject, 'source'>, estimate: Estimate, start: number): SharpnessReading {
  const { graph, heads } = subject;
  const { traces, minimum } = estimate;
  // By the envelope theorem, the spread of MS is that of the traces at the optimal scales held fixed.
  const error = estimate.errorOf(factorsOf(minimum));
  const isHessian = estimate.matrix === 'Hessian';
  const notExact = [...(isHessian ? [] : reasonsNotExact(graph)), ...partlyCurved(heads)];
  const loss = knownLoss(subject, estimate.loss);
  const parameters = trainedParameters(graph);
  const saturated = loss && isSaturated(heads, loss);
  const constant = !isHessian && isConstant(parameters, traces);
  const collapsed = constant || saturated;
  return {
    minimumSharpness: minimum.value,
    standardError: error.standardError,
    reliable: error.reliable,
    trace: traces.reduce((sum, trace) => sum + trace, 0),
    parameters: parameters.map(({ name, layer }, b) => ({
      name,
      layer: layer.name,
      trace: traces[b],
      standardError: estimate.errorOf(traces.map((_, c) => (c === b ? 1 : 0))).standardError,
    })),
    scales: minimum.scales,
    samples: estimate.samples,
    ...(loss && { loss: loss.value }),
    ...(collapsed !== undefined && { collapsed }),
    ...(estimate.topEigenvalues && { topEigenvalues: estimate.topEigenvalues }),
    method: estimate.method,
    pairs: estimate.pairs,
    exact: notExact.length === 0,
    assumptions: [
      ...notExact,
      ...headAssumptions(heads),
      ...(isHessian ? [] : flatLosses(heads)),
      ...(saturated ? [SATURATED] : []),
      ...(constant ? [CONSTANT] : []),
      ...rowAssumptions(subject.rows()),
      ...regularizerAssumptions(graph),
      ...subject.assumptions,
      ...minimumAssumptions(minimum),
      ...estimate.assumptions,
      ...negativeTraceAssumptions(parameters, traces),
      ...(error.reliable ? [] : [estimate.unreliable]),
    ],
    durationMs: performance.now() - start,
  };
}
