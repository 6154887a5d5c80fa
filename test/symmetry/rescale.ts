import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { subjectOfModel } from '../../src/measure/subject.js';
import { scaleSymmetry } from '../../src/symmetry/scale-symmetry.js';
import { lcg } from '../measure/golden-network.js';
import type { NetworkSpec } from './random-network.js';

/**
 * Multiplies everything by what the symmetry says, at a random x whose entries are multiples of log 2: with exponents of
 * whole numbers, all factors are powers of two, which float32 rounds nowhere. What changes then is no rounding error.
 *
 * The epsilon of a layer normalization goes along, as exp(2 s_in).
 */
export function rescale(
  model: tfl.LayersModel,
  loss: NetworkSpec['loss'],
  draw: number,
): { freedom: number; undo(): void } {
  const { graph } = subjectOfModel(model, { loss });
  const symmetry = scaleSymmetry(graph);
  const x = lcg(draw, symmetry.freedom).map((u) => (Math.floor(5 * u) - 2) * Math.LN2);
  const factor = (form: readonly number[]) => Math.exp(form.reduce((sum, c, i) => sum + c * x[i]!, 0));
  const multiplied = new Map<tfl.LayerVariable, number>([
    ...symmetry.parameters.map(
      ({ parameter, exponent }) => [parameter.variable as tfl.LayerVariable, factor(exponent)] as const,
    ),
    ...symmetry.statistics.map(({ variable, exponent }) => [variable as tfl.LayerVariable, factor(exponent)] as const),
  ]);
  const epsilons = new Map<{ epsilon: number }, number>();
  for (const { operation, inputs } of graph.steps) {
    const layer = operation.layer as tfl.layers.Layer & { epsilon: number };
    if (operation.scale === 'resets' && 'epsilon' in layer) {
      epsilons.set(layer, layer.epsilon);
      layer.epsilon *= factor(symmetry.scaleOf(inputs[0]!)) ** 2;
    }
  }
  const before = [...multiplied.keys()].map((variable) => [variable, variable.read().clone()] as const);
  for (const [variable, by] of multiplied) {
    tf.tidy(() => {
      variable.write(tf.mul(variable.read(), by));
    });
  }
  const undo = () => {
    for (const [variable, value] of before) {
      variable.write(value);
      value.dispose();
    }
    for (const [layer, epsilon] of epsilons) {
      layer.epsilon = epsilon;
    }
  };
  return { freedom: symmetry.freedom, undo };
}
