import { describe, expect, it } from 'vitest';
import type { ParameterRole } from '../../src/network/layers/operation.js';
import { type NamedBlock, namedScales } from '../../src/symmetry/named-scales.js';
import { affine } from './fake-graph.js';

const owner = { name: 'f', getClassName: () => 'Function' };
const block = (name: string, role: ParameterRole, scales: Pick<NamedBlock, 'from' | 'to'>): NamedBlock => ({
  parameter: affine(name, [role]).parameters[0]!,
  ...scales,
});

describe('namedScales', () => {
  it('gives a kernel s_to - s_from, a bias s_to, and a fixed parameter nothing', () => {
    const symmetry = namedScales(
      [
        block('first', 'kernel', { to: 'hidden' }),
        block('first', 'bias', { to: 'hidden' }),
        block('second', 'kernel', { from: 'hidden', to: 'deep' }),
        block('norm', 'fixed', { from: 'hidden', to: 'other' }),
        block('last', 'kernel', { from: 'deep' }),
        block('last', 'bias', { from: 'deep' }),
      ],
      owner,
    );
    expect(symmetry.freedom).toBe(2);
    expect(symmetry.parameters.map(({ parameter, exponent }) => [parameter.name, ...exponent])).toEqual([
      ['first/kernel', 1, 0],
      ['first/bias', 1, 0],
      ['second/kernel', -1, 1],
      ['norm/fixed', 0, 0],
      ['last/kernel', 0, -1],
      ['last/bias', 0, 0],
    ]);
    expect(symmetry.layers.map(({ layer, logScale }) => [layer.name, ...logScale])).toEqual([
      ['first/kernel', 1, 0],
      ['second/kernel', -1, 1],
      ['last/kernel', 0, -1],
    ]);
    expect(symmetry.layers[0]!.layer.getClassName()).toBe('Function');
  });

  it('has nothing to move in a kernel from a scale to itself, or without names', () => {
    const symmetry = namedScales(
      [block('residual', 'kernel', { from: 'x', to: 'x' }), block('plain', 'kernel', {})],
      owner,
    );
    expect(symmetry.parameters.map(({ exponent }) => exponent)).toEqual([[0], [0]]);
    expect(symmetry.layers).toEqual([]);
  });
});
