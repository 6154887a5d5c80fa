import fc from 'fast-check';
import type { Graph } from '../../src/network/graph.js';
import type { ScaleSymmetry } from '../../src/symmetry/scale-symmetry.js';
import { affine, type FakeLayer, network } from './fake-graph.js';

/** The exponent of a parameter, by name. */
export function exponentOf(symmetry: ScaleSymmetry, name: string): readonly number[] {
  const found = symmetry.parameters.find(({ parameter }) => parameter.name === name);
  if (!found) {
    throw new Error(`no parameter ${name}`);
  }
  return found.exponent;
}

const roles = fc.constantFrom(
  ...([
    ['kernel'],
    ['kernel', 'bias'],
    ['kernel', 'bias'],
    ['bias'],
    ['frozen kernel', 'bias'],
    ['kernel', 'frozen bias'],
    ['kernel', 'fixed'],
  ] as const),
);

/** Networks of up to 16 steps: chains, sums, products, shared and frozen layers, a few activations that pin. */
export const randomGraph: fc.Arbitrary<Graph> = fc
  .array(
    fc.record({
      kind: fc.constantFrom('new', 'new', 'new', 'new', 'again', 'ties', 'adds', 'pins'),
      roles,
      back: fc.tuple(fc.nat(), fc.nat()),
    }),
    { minLength: 1, maxLength: 16 },
  )
  .map((recipe) => {
    const { call, step, graph } = network();
    const layers: FakeLayer[] = [];
    // Mostly deep: the previous tensor, merged now and then with any earlier one.
    const last = recipe.reduce((tensor, { kind, roles, back: [which, skip] }, i) => {
      if (kind === 'ties' || kind === 'adds') {
        return step(kind, tensor, skip % (tensor + 1));
      }
      if (kind === 'pins') {
        return step((['pins', 'resets', 'ties'] as const)[which % 3], tensor);
      }
      const layer = kind === 'again' && layers.length > 0 ? layers[which % layers.length] : affine(`layer${i}`, roles);
      layers.push(layer);
      return call(layer, tensor);
    }, 0);
    return graph(call(affine('out', ['kernel', 'bias']), last));
  });
