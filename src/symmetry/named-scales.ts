import type { Owner, Parameter } from '../network/layers/operation.js';
import type { LinearForm } from './elimination.js';
import type { ScaleSymmetry } from './scale-symmetry.js';

/** A parameter between two tensors whose scales have a name; without one, s = 0. */
export interface NamedBlock {
  readonly parameter: Parameter;
  readonly from?: string;
  readonly to?: string;
}

/**
 * The scale symmetry of a function whose hidden tensors the user has named: one unknown a name, s_to - s_from for a kernel
 * and s_to for a bias. Fixed parameters take no part.
 *
 * Every kernel is a layer of its own in the reading's scales.
 */
export function namedScales(blocks: readonly NamedBlock[], owner: Owner): ScaleSymmetry {
  const moving = blocks.filter(({ parameter }) => parameter.role !== 'fixed');
  const names = [...new Set(moving.flatMap(({ from, to }) => [from, to]).filter((name) => name !== undefined))];
  const scaleOf = (name: string | undefined): LinearForm => names.map((each) => (each === name ? 1 : 0));
  const parameters = blocks.map(({ parameter, from, to }) => {
    const entering = scaleOf(parameter.role === 'kernel' ? from : undefined);
    const leaving = scaleOf(parameter.role === 'fixed' ? undefined : to);
    return { parameter, exponent: leaving.map((c, i) => c - entering[i]) };
  });
  return {
    freedom: names.length,
    parameters,
    layers: parameters
      .filter(({ parameter, exponent }) => parameter.role === 'kernel' && exponent.some((c) => c !== 0))
      .map(({ parameter, exponent }) => ({
        layer: { name: parameter.name, getClassName: owner.getClassName },
        logScale: exponent,
      })),
  };
}
