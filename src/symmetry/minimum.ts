import type { LayerScale } from '../reading.js';
import { minimizeExponentials } from './minimize.js';
import type { ScaleSymmetry } from './potentials.js';

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
  /** One sentence that names the layers where the minimum is not attained; else empty. */
  readonly assumptions: readonly string[];
  /** Newton steps taken. */
  readonly steps: number;
}

/**
 * Minimises the trace of the Hessian over all rescalings that leave the function unchanged:
 * MS = inf over x of sum_b T_b exp(-2 e_b . x).
 *
 * @param symmetry What `scaleSymmetry` found in the network.
 * @param traces T_b, one a parameter, in the order of `symmetry.parameters`.
 * @throws RangeError when a trace is negative or not finite, naming the parameter.
 */
export function minimizeOverScales(symmetry: ScaleSymmetry, traces: readonly number[]): ScaleMinimum {
  const { parameters, layers } = symmetry;
  if (traces.length !== parameters.length)
    throw new RangeError(`Expected ${parameters.length} traces, one a trainable parameter, but got ${traces.length}.`);
  parameters.forEach(({ parameter }, b) => {
    if (!(traces[b] >= 0 && traces[b] < Infinity))
      throw new RangeError(
        `The trace of '${parameter.name}' is ${traces[b]}: look for weights or inputs that are huge or not numbers.`,
      );
  });

  const { value, exponents, attained, limitOf, steps } = minimizeExponentials(
    parameters.map(({ exponent }) => exponent),
    traces,
  );
  const scales = layers.map(({ layer, logScale }) => ({ layer: layer.name, alpha: Math.exp(limitOf(logScale)) }));
  if (attained) {
    return { value, exponents, scales, assumptions: [], steps };
  }

  const names = (alpha: number) => scales.filter((scale) => scale.alpha === alpha).map(({ layer }) => `'${layer}'`);
  const growing = names(Infinity);
  const shrinking = names(0);
  const without = parameters.filter((_, b) => traces[b] === 0).map(({ parameter }) => `'${parameter.name}'`);
  const cause = without.length > 0 ? `, since the trace of ${list(without)} is 0` : '';
  const ways = [
    ...(growing.length > 0 ? [`the scale of ${list(growing)} goes to infinity`] : []),
    ...(shrinking.length > 0 ? [`that of ${list(shrinking)} goes to 0`] : []),
  ];
  const sentence = `Minimum Sharpness is a limit that no rescaling reaches${cause}: ${ways.join(' and ')}.`;
  return { value, exponents, scales, assumptions: [sentence], steps };
}

function list(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
