import { minimizeExponentials } from './exponential-sum.js';
import type { ScaleSymmetry } from './scale-symmetry.js';

/** The factor by which the optimal rescaling multiplies a layer's kernel: 0 and `Infinity` where MS is an infimum. */
export interface LayerScale {
  readonly layer: string;
  readonly alpha: number;
}

/** Minimum Sharpness and the rescaling that reaches it. */
export interface ScaleMinimum {
  /** Minimum Sharpness. */
  readonly value: number;
  /**
   * One exponent e a parameter, in the order of `ScaleSymmetry.parameters`: the parameter contributes T exp(-2 e).
   * `Infinity` where it contributes nothing, because T = 0 or because the term vanishes in the infimum.
   */
  readonly exponents: readonly number[];
  /** The factor of every layer whose scale is free: 0 or `Infinity` where the minimum is not attained. */
  readonly scales: readonly LayerScale[];
  /**
   * Null where the minimum is attained. Else the parameters whose trace is 0, and the layers whose scales go to infinity and to 0
   * on the way to the infimum.
   */
  readonly unattained: {
    readonly quiet: readonly string[];
    readonly toInfinity: readonly string[];
    readonly toZero: readonly string[];
  } | null;
  /** Newton steps taken. */
  readonly steps: number;
}

/**
 * Minimises the trace of the Hessian over all rescalings that leave the function unchanged:
 * MS = inf over x of sum_b T_b exp(-2 e_b . x).
 *
 * @param symmetry What `scaleSymmetry` found in the network.
 * @param traces T_b, one a parameter, in the order of `symmetry.parameters`.
 * @throws RangeError with one line when a trace is negative or not finite, naming the parameter.
 */
export function minimizeOverScales(symmetry: ScaleSymmetry, traces: readonly number[]): ScaleMinimum {
  const { parameters, layers } = symmetry;
  if (traces.length !== parameters.length) {
    throw new RangeError(`Expected ${parameters.length} traces, one a trainable parameter, but got ${traces.length}.`);
  }
  parameters.forEach(({ parameter }, b) => {
    if (!(traces[b] >= 0 && traces[b] < Infinity)) {
      throw new RangeError(
        `The trace of '${parameter.name}' is ${traces[b]}: look for weights or inputs that are huge or not numbers.`,
      );
    }
  });

  const { value, exponents, attained, limitOf, steps } = minimizeExponentials(
    parameters.map(({ exponent }) => exponent),
    traces,
  );
  const logScales = layers.map(({ layer, logScale }) => ({ layer: layer.name, log: limitOf(logScale) }));
  const scales = logScales.map(({ layer, log }) => ({ layer, alpha: Math.exp(log) }));
  if (attained) {
    return { value, exponents, scales, unattained: null, steps };
  }
  const movingTo = (limit: number) => logScales.filter(({ log }) => log === limit).map(({ layer }) => layer);
  const quiet = parameters.filter((_, b) => traces[b] === 0).map(({ parameter }) => parameter.name);
  const unattained = { quiet, toInfinity: movingTo(Infinity), toZero: movingTo(-Infinity) };
  return { value, exponents, scales, unattained, steps };
}
