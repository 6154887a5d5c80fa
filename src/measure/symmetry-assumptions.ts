import { enumerateNames } from '../names.js';
import { type Graph, parametersOf } from '../network/graph.js';
import type { Operation, Parameter } from '../network/layers/operation.js';
import type { ScaleSymmetry } from '../symmetry/scale-symmetry.js';

/**
 * What Minimum Sharpness takes for granted about the scales of this network, one sentence each. They say what was done with
 * frozen weights, normalizations and layers that are measured as a whole; `describeSymmetries` goes layer by layer.
 */
export function symmetryAssumptions(graph: Graph, symmetry: ScaleSymmetry): string[] {
  const assumptions: string[] = [];
  const say = (layers: Iterable<{ readonly name: string }>, sentence: (names: string) => string) => {
    const names = [...new Set(layers)].map(({ name }) => name);
    if (names.length > 0) {
      assumptions.push(sentence(enumerateNames(names)));
    }
  };
  const layersWith = (test: (operation: Operation) => boolean) =>
    graph.steps.filter(({ operation }) => test(operation)).map(({ operation }) => operation.layer);

  if (symmetry.freedom === 0) {
    assumptions.push(
      'No layers can exchange scale here, so Minimum Sharpness is the plain trace; describeSymmetries(model) says why.',
    );
  }
  say(
    parametersOf(graph).flatMap(({ layer, trainable }) => (trainable ? [] : [layer])),
    (names) =>
      `The frozen weights of ${names} are left out, and no scale is moved into them; countFrozen: true counts them.`,
  );
  say(
    layersWith(({ inputStatistics }) => inputStatistics !== undefined),
    (names) =>
      `Batch normalization (${names}) is measured as in inference, with its moving statistics: it is a layer that can trade ` +
      'scale like any other, and does not make the weights in front of it count less.',
  );
  say(
    layersWith(({ scale, description }) => scale === 'resets' && !description.startsWith('mask of')),
    (names) =>
      `Normalization (${names}) takes away the scale of its input: weights in front of it can be scaled up without changing ` +
      'the function (with epsilon in proportion), so that their trace need not count.',
  );
  // Of a layer that moves with its other weights, such as a recurrent one, only some are held.
  const all = parametersOf(graph);
  const moves = ({ layer }: Parameter) => all.some((each) => each.layer === layer && each.role !== 'fixed');
  const held = all.filter(({ role, trainable }) => role === 'fixed' && trainable);
  say(
    held.map((parameter) => (moves(parameter) ? parameter : parameter.layer)),
    (names) => `Weights of ${names} take no part in the rescaling: their trace counts as it is.`,
  );
  return assumptions;
}
