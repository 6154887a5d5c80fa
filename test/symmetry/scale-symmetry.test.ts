import type { LayerVariable } from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scaleSymmetry } from '../../src/symmetry/scale-symmetry.js';
import { affine, chain, dense, named, network } from './fake-graph.js';
import { exponentOf, randomGraph } from './random-graph.js';

/** Names of the parameters whose exponent is not identically 0. */
function moving(symmetry: ReturnType<typeof scaleSymmetry>): string[] {
  return symmetry.parameters
    .filter(({ exponent }) => exponent.some((c) => c !== 0))
    .map(({ parameter }) => parameter.name);
}

const layersOf = (symmetry: ReturnType<typeof scaleSymmetry>) => symmetry.layers.map(({ layer }) => layer.name);

describe('scaleSymmetry', () => {
  it('leaves one scale less than there are layers in a chain', () => {
    const symmetry = scaleSymmetry(chain([dense('a'), dense('b'), dense('c')]));
    expect(symmetry.freedom).toBe(2);
    expect(symmetry.parameters.map(({ parameter, exponent }) => [parameter.name, ...exponent])).toEqual([
      ['a/kernel', 1, 0],
      ['a/bias', 1, 0],
      ['b/kernel', -1, 1],
      ['b/bias', 0, 1],
      ['c/kernel', 0, -1],
      ['c/bias', 0, 0],
    ]);
    expect(symmetry.layers.map(({ layer, logScale }) => [layer.name, ...logScale])).toEqual([
      ['a', 1, 0],
      ['b', -1, 1],
      ['c', 0, -1],
    ]);
  });

  it('has nothing to move in a single layer, or between activations that are not homogeneous', () => {
    for (const graph of [chain([dense('a')]), chain([dense('a'), dense('b'), dense('c')], 'pins')]) {
      const symmetry = scaleSymmetry(graph);
      expect(symmetry.freedom).toBe(0);
      expect(moving(symmetry)).toEqual([]);
      expect(symmetry.layers).toEqual([]);
    }
  });

  it('ties the branches of a sum together', () => {
    const { call, step, graph } = network();
    const stem = call(dense('stem'), 0);
    const branch = call(dense('b2'), step('ties', call(dense('b1'), stem)));
    const symmetry = scaleSymmetry(graph(call(dense('out'), step('ties', branch, stem))));
    expect(symmetry.freedom).toBe(2);
    expect(exponentOf(symmetry, 'b2/bias')).toEqual(exponentOf(symmetry, 'stem/kernel'));
    expect(exponentOf(symmetry, 'b1/kernel')).toEqual(exponentOf(symmetry, 'b2/kernel').map((c) => -c));
  });

  it('keeps the branches of a sum at the scale of the input where that joins them', () => {
    const { call, step, graph } = network();
    const symmetry = scaleSymmetry(graph(call(dense('out'), step('ties', call(dense('branch'), 0), 0))));
    expect(symmetry.freedom).toBe(0);
  });

  it('adds the scales of a product', () => {
    const { call, step, graph } = network();
    const product = step('adds', call(dense('a'), 0), call(dense('b'), 0));
    const symmetry = scaleSymmetry(graph(call(dense('out'), product)));
    expect(symmetry.freedom).toBe(2);
    const [a, b, out] = ['a', 'b', 'out'].map((name) => exponentOf(symmetry, `${name}/kernel`));
    expect(out).toEqual(a.map((c, i) => -(c + b[i]) || 0));
  });

  it('lets go of the scale in front of a normalisation, and starts anew behind it', () => {
    const { call, step, graph } = network();
    const normalized = step('resets', call(dense('before'), 0));
    const symmetry = scaleSymmetry(graph(call(dense('out'), call(affine('gamma', ['kernel', 'bias']), normalized))));
    expect(symmetry.freedom).toBe(2);
    const [before, bias, gamma, beta, out] = [
      'before/kernel',
      'before/bias',
      'gamma/kernel',
      'gamma/bias',
      'out/kernel',
    ].map((name) => exponentOf(symmetry, name));
    expect(before).toEqual([1, 0]);
    expect(bias).toEqual([1, 0]);
    expect(gamma).toEqual([0, 1]);
    expect(beta).toEqual([0, 1]);
    expect(out).toEqual([0, -1]);
  });

  it('ties the branch of a sum that is normalized and the one that is not to the output', () => {
    const { call, step, graph } = network();
    const a = call(dense('a'), 0);
    const symmetry = scaleSymmetry(graph(step('ties', step('resets', a), call(dense('b'), a))));
    // s = 0 at the sum; a is free, and b undoes it.
    expect(symmetry.freedom).toBe(1);
    expect(exponentOf(symmetry, 'b/kernel')).toEqual(exponentOf(symmetry, 'a/kernel').map((c) => -c));
    expect(exponentOf(symmetry, 'b/bias')).toEqual([0]);
  });

  it('counts the scale of a squared tensor twice', () => {
    const { call, step, graph } = network();
    const a = call(dense('a'), 0);
    const symmetry = scaleSymmetry(graph(call(dense('out'), step('adds', a, a))));
    expect(exponentOf(symmetry, 'a/kernel').map((c) => -2 * c)).toEqual(exponentOf(symmetry, 'out/kernel'));
  });

  it('gives a shared layer one factor in all its calls, and one output scale if it has a bias', () => {
    const calls = (shared: ReturnType<typeof affine>) => {
      const { call, step, graph } = network();
      const second = call(shared, step('ties', call(shared, 0)));
      return scaleSymmetry(graph(call(dense('out'), step('ties', second))));
    };
    const free = calls(affine('shared', ['kernel']));
    expect(free.freedom).toBe(1);
    expect(exponentOf(free, 'out/kernel')).toEqual(exponentOf(free, 'shared/kernel').map((c) => -2 * c));
    // s, then 2 s, at the outputs: with a bias both are the same.
    expect(calls(dense('shared')).freedom).toBe(0);
    expect(calls(affine('shared', ['kernel', 'frozen bias'])).freedom).toBe(0);
  });

  it('knows a shared layer by its variables, not by its operation', () => {
    const shared = affine('shared', ['kernel']);
    const { call, graph } = network();
    const symmetry = scaleSymmetry(graph(call(dense('out'), call({ ...shared }, call({ ...shared }, 0)))));
    expect(symmetry.parameters.map(({ parameter }) => parameter.name)).toEqual([
      'shared/kernel',
      'out/kernel',
      'out/bias',
    ]);
    expect(exponentOf(symmetry, 'out/kernel')).toEqual(exponentOf(symmetry, 'shared/kernel').map((c) => -2 * c));
  });

  it('gives two kernels of one layer a scale each, and the layer their product', () => {
    const depthwise = affine('separable', ['kernel']);
    const pointwise = { ...affine('separable', ['kernel']), layer: depthwise.layer };
    const symmetry = scaleSymmetry(chain([depthwise, pointwise, dense('out')]));
    expect(symmetry.freedom).toBe(2);
    expect(layersOf(symmetry)).toEqual(['separable', 'out']);
    expect(symmetry.layers[0].logScale).toEqual(symmetry.layers[1].logScale.map((c) => -c || 0));
  });

  it('lets no scale flow into a frozen kernel or bias, and lists no frozen parameter', () => {
    const frozenKernel = scaleSymmetry(chain([dense('a'), affine('b', ['frozen kernel', 'bias']), dense('c')]));
    expect(frozenKernel.freedom).toBe(1);
    expect(exponentOf(frozenKernel, 'b/bias')).toEqual(exponentOf(frozenKernel, 'a/bias'));
    expect(frozenKernel.parameters.map(({ parameter }) => parameter.name)).not.toContain('b/kernel');
    expect(layersOf(frozenKernel)).toEqual(['a', 'c']);

    const beside = scaleSymmetry(chain([dense('a'), affine('b', ['kernel', 'frozen kernel']), dense('c')]));
    expect(exponentOf(beside, 'b/kernel')).toEqual([0]);

    const frozenBias = scaleSymmetry(chain([dense('a'), affine('b', ['kernel', 'frozen bias']), dense('c')]));
    expect(frozenBias.freedom).toBe(1);
    expect(layersOf(frozenBias)).toEqual(['a', 'b']);

    const frozen = affine('trunk', ['frozen kernel', 'frozen bias']);
    expect(scaleSymmetry(chain([frozen, dense('head')])).freedom).toBe(0);
    expect(scaleSymmetry(chain([dense('trunk'), frozen])).freedom).toBe(0);
  });

  it('ties a layer with only a bias, and leaves a fixed parameter alone', () => {
    const symmetry = scaleSymmetry(
      chain([dense('a'), affine('beta', ['bias']), affine('slope', ['fixed']), dense('c')]),
    );
    expect(symmetry.freedom).toBe(1);
    expect(exponentOf(symmetry, 'beta/bias')).toEqual(exponentOf(symmetry, 'a/bias'));
    expect(exponentOf(symmetry, 'slope/fixed')).toEqual([0]);
  });

  it('moves a moving mean with its input, and has one scale for it in all calls', () => {
    const mean = {} as LayerVariable;
    const norm = { ...affine('norm', ['kernel']), inputStatistics: [mean] };
    const once = scaleSymmetry(chain([dense('a'), norm, dense('out')]));
    expect(once.freedom).toBe(2);
    expect(once.statistics).toEqual([{ variable: mean, exponent: exponentOf(once, 'a/kernel') }]);
    const { call, graph } = network();
    const twice = scaleSymmetry(graph(call(dense('out'), call(norm, call(norm, call(dense('a'), 0))))));
    // Without the mean, gamma could change the scale in both calls.
    expect(twice.freedom).toBe(1);
    expect(exponentOf(twice, 'norm/kernel')).toEqual([0]);
  });

  it('gives the scale of every tensor', () => {
    const { call, step, graph } = network();
    const a = call(dense('a'), 0);
    const symmetry = scaleSymmetry(graph(call(dense('out'), step('ties', a))));
    expect([0, a, a + 1, a + 2].map((tensor) => symmetry.scaleOf(tensor))).toEqual([[0], [1], [1], [0]]);
  });

  it('says what holds a scale', () => {
    const { call, step, graph } = network();
    const held = step('ties', 0, call(dense('branch'), 0));
    const pinned = step('pins', call(dense('pinned'), held));
    const reset = step('resets', call(dense('free'), pinned));
    const frozen = call(affine('frozen', ['kernel', 'frozen bias']), reset);
    const symmetry = scaleSymmetry(graph(call(dense('out'), frozen)));
    const holds = (name: string) => {
      const { parameter } = symmetry.parameters.find((each) => each.parameter.name === name)!;
      return symmetry
        .holds(parameter)
        .map((hold) => ('operation' in hold ? `${hold.kind} ${hold.operation.description}` : hold.kind));
    };
    expect(holds('branch/kernel')).toEqual(['ties ties']);
    expect(holds('pinned/kernel')).toEqual(['input', 'pins pins']);
    expect(holds('frozen/kernel')).toEqual(['resets resets', 'frozen frozen']);
    expect(holds('out/kernel')).toEqual(['frozen frozen', 'output']);
  });

  it('ties several inputs of one affine step', () => {
    const { call, graph } = network();
    const both = call(dense('both'), call(dense('a'), 0), call(dense('b'), 0));
    const symmetry = scaleSymmetry(graph(both));
    expect(symmetry.freedom).toBe(1);
    expect(exponentOf(symmetry, 'a/kernel')).toEqual(exponentOf(symmetry, 'b/kernel'));
  });

  it('keeps every rule of every random network, whatever the free unknowns', () => {
    fc.assert(
      fc.property(randomGraph, fc.infiniteStream(fc.integer({ min: -5, max: 5 })), (graph, stream) => {
        const symmetry = scaleSymmetry(graph);
        const x = Array.from({ length: symmetry.freedom }, () => stream.next().value as number);
        const at = (form: readonly number[]) => form.reduce((total, c, i) => total + c * x[i], 0);
        const exponent = new Map(symmetry.parameters.map((p) => [p.parameter.variable, at(p.exponent)]));
        // The scales that the kernels' exponents give, called as the graph calls them, obey every other rule.
        const s = new Map(graph.inputs.map((tensor) => [tensor, 0]));
        for (const { operation, inputs, output } of graph.steps) {
          const entering = inputs.map((tensor) => s.get(tensor) ?? Number.NaN);
          let leaving = operation.scale === 'adds' ? entering.reduce((a, b) => a + b) : entering[0];
          if (operation.scale !== 'adds') {
            for (const other of operation.scale === 'resets' ? [] : entering) {
              expect(other).toBeCloseTo(operation.scale === 'pins' ? 0 : leaving, 9);
            }
          }
          if (operation.scale === 'resets') {
            leaving = 0;
          }
          for (const { role, trainable, variable } of operation.parameters) {
            if (role === 'kernel' && trainable) {
              leaving += exponent.get(variable) ?? Number.NaN;
            }
          }
          for (const { role, trainable, variable } of operation.parameters) {
            if (role === 'bias') {
              expect(leaving).toBeCloseTo(trainable ? (exponent.get(variable) ?? Number.NaN) : 0, 9);
            }
          }
          s.set(output, leaving);
        }
        expect(s.get(graph.outputs[0])).toBeCloseTo(0, 9);
      }),
      { numRuns: 300 },
    );
  });
});

describe('scales with names', () => {
  const whole = (layer: ReturnType<typeof named>) => {
    const { call, graph } = network();
    return scaleSymmetry(graph(call(layer, 0)));
  };
  const exponents = (symmetry: ReturnType<typeof scaleSymmetry>) =>
    symmetry.parameters.map(({ parameter, exponent }) => [parameter.name, ...exponent.map((c) => c || 0)]);

  it('give a kernel s_to - s_from, a bias s_to, and a fixed parameter nothing', () => {
    const symmetry = whole(
      named(
        'f',
        {},
        {
          first: { to: 'hidden' },
          offset: { role: 'bias', to: 'hidden' },
          second: { from: 'hidden', to: 'deep' },
          norm: { role: 'fixed', from: 'hidden', to: 'other' },
          last: { from: 'deep' },
          end: { role: 'bias', from: 'deep' },
        },
      ),
    );
    expect(symmetry.freedom).toBe(2);
    expect(exponents(symmetry)).toEqual([
      ['f/first', 1, 0],
      ['f/offset', 1, 0],
      ['f/second', -1, 1],
      ['f/norm', 0, 0],
      ['f/last', 0, -1],
      ['f/end', 0, 0],
    ]);
    expect(symmetry.layers.map(({ layer, logScale }) => [layer.name, ...logScale.map((c) => c || 0)])).toEqual([
      ['f/first', 1, 0],
      ['f/second', -1, 1],
      ['f/last', 0, -1],
    ]);
    expect(symmetry.layers[0]!.layer.getClassName()).toBe('Fake');
  });

  it('have nothing to move in a kernel from a scale to itself, or without names', () => {
    const symmetry = whole(named('f', {}, { residual: { from: 'x', to: 'x' }, plain: {} }));
    expect(symmetry.parameters.map(({ exponent }) => exponent.map((c) => c || 0))).toEqual([[0], [0]]);
    expect(symmetry.layers).toEqual([]);
  });

  const attention = (frozen = false) =>
    named(
      'mha',
      { inputs: ['input'], output: 'output', rules: [{ query: 1, key: 1 }] },
      {
        query: { from: 'input', to: 'query', frozen },
        key: { from: 'input', to: 'key' },
        value: { from: 'input', to: 'value' },
        output: { from: 'value', to: 'output' },
      },
    );

  it('obey their rules, and those of the tensors around', () => {
    const symmetry = scaleSymmetry(chain([dense('in'), attention(), dense('out')]));
    // Of in, query, value and output one each is free; the key follows.
    expect(symmetry.freedom).toBe(4);
    const of = (name: string) => exponentOf(symmetry, name);
    const total = (...names: string[]) => names.map(of).reduce((a, b) => a.map((c, i) => c + b[i]!));
    expect(total('in/kernel', 'in/kernel', 'mha/query', 'mha/key')).toEqual([0, 0, 0, 0]);
    expect(total('in/kernel', 'mha/value', 'mha/output', 'out/kernel')).toEqual([0, 0, 0, 0]);
    expect(layersOf(symmetry)).toEqual(['in', 'mha/query', 'mha/key', 'mha/value', 'mha/output', 'out']);
  });

  it('are held by a frozen weight, and by an input without a name', () => {
    const frozen = scaleSymmetry(chain([dense('in'), attention(true), dense('out')]));
    expect(frozen.freedom).toBe(3);
    // The query has the scale of the input, which the key sees twice.
    expect(exponentOf(frozen, 'mha/key').map((c) => -c / 2 || 0)).toEqual(exponentOf(frozen, 'in/kernel'));
    const pinned = scaleSymmetry(chain([dense('in'), named('gate', {}, { kernel: {} }), dense('out')]));
    expect(pinned.freedom).toBe(0);
    const { parameter } = pinned.parameters[0]!;
    expect([...new Set(pinned.holds(parameter).map(({ kind }) => kind))]).toEqual(['input', 'pins']);
  });

  it('are those of one call: a layer that is called twice has one factor for each weight', () => {
    const shared = attention();
    const { call, step, graph } = network();
    const once = call(shared, call(dense('in'), 0));
    const symmetry = scaleSymmetry(graph(call(dense('out'), step('ties', call(shared, once)))));
    // The weights see in and out of both calls multiplied alike, so that the layer keeps the scale of its input.
    expect(symmetry.freedom).toBe(3);
    const product = ['mha/value', 'mha/output'].map((name) => exponentOf(symmetry, name));
    expect(product[0]!.map((c, i) => c + product[1]![i]! || 0)).toEqual([0, 0, 0]);
  });

  it('tie two inputs of one name, and say so', () => {
    const { call, graph } = network();
    const layer = named('sum', { inputs: ['x', 'x'], output: 'x' }, {});
    const symmetry = scaleSymmetry(graph(call(dense('out'), call(layer, call(dense('a'), 0), call(dense('b'), 0)))));
    expect(symmetry.freedom).toBe(1);
    expect(exponentOf(symmetry, 'a/kernel')).toEqual(exponentOf(symmetry, 'b/kernel'));
  });
});
