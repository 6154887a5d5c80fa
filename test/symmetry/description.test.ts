import { describe, expect, it } from 'vitest';
import type { Graph } from '../../src/network/graph.js';
import { symmetryDescription } from '../../src/symmetry/description.js';
import { affine, chain, dense, network } from './fake-graph.js';

/** The fakes have no class of tf.js. */
function described(graph: Graph) {
  for (const { operation } of graph.steps) {
    Object.assign(operation.layer, { getClassName: () => operation.description });
  }
  return symmetryDescription(graph);
}

describe('symmetryDescription', () => {
  it('puts layers that trade scale into one group, with their rule', () => {
    const found = described(chain([dense('a'), dense('b'), dense('c')]));
    expect(found.freedom).toBe(2);
    expect(found.groups).toEqual([{ layers: ['a', 'b', 'c'], freedom: 2, rules: [{ a: 1, b: 1, c: 1 }] }]);
    expect(found.pinned).toEqual([]);
    expect(found.toString()).toBe(
      "2 scales are free. alpha(layer) is what the layer's kernel is multiplied by. Biases follow, and the network computes " +
        "the same.\n'a', 'b' and 'c' trade scale: alpha(a) * alpha(b) * alpha(c) = 1.",
    );
  });

  it('keeps apart what does not share a rule, and gives powers in whole numbers', () => {
    const { call, step, graph } = network();
    const a = step('ties', call(dense('a'), 0));
    // a goes in twice: its scale counts double.
    const squared = step('adds', a, a);
    const middle = step('pins', call(dense('b'), squared));
    const found = described(graph(call(dense('d'), step('ties', call(dense('c'), middle)))));
    expect(found.groups).toEqual([
      { layers: ['a', 'b'], freedom: 1, rules: [{ a: 2, b: 1 }] },
      { layers: ['c', 'd'], freedom: 1, rules: [{ c: 1, d: 1 }] },
    ]);
    expect(found.toString()).toContain('alpha(a)^2 * alpha(b) = 1.');
  });

  it('says what a normalization behind a layer makes of it', () => {
    const { call, step, graph } = network();
    const found = described(graph(step('resets', call(dense('a'), 0))));
    expect(found.groups).toEqual([{ layers: ['a'], freedom: 1, rules: [] }]);
    expect(found.toString()).toContain("'a' can have any scale: a normalization behind it takes it away.");
  });

  it.each<[string, Graph, string, string]>([
    ['a single layer', chain([dense('a')]), 'a', "is fixed between the network's input and the network's output"],
    [
      'a frozen kernel',
      chain([dense('b'), affine('a', ['frozen kernel']), dense('c')]),
      'a',
      'is fixed, because it is frozen',
    ],
    [
      'an activation',
      chain([dense('a'), dense('b')], 'pins'),
      'a',
      "is fixed between the network's input and the pins of 'pins' (a class of your own)",
    ],
    [
      'a bias alone',
      chain([dense('b'), affine('a', ['bias']), dense('c')]),
      'a',
      'has a bias only, which follows the scale that reaches it',
    ],
    ['a fixed weight', chain([affine('a', ['fixed'])]), 'a', 'is fixed: it passes scales on and keeps its own weights'],
  ])('says why a layer is pinned: %s', (_, graph, layer, reason) => {
    expect(described(graph).pinned).toContainEqual({ layer, reason });
  });

  it('calls Minimum Sharpness the trace where nothing is free', () => {
    expect(described(chain([dense('a')])).toString()).toMatch(
      /^No layers can trade scale: .+ plain trace\.\n'a' is fixed/,
    );
  });
});
