import type { LayerVariable } from '@tensorflow/tfjs-layers';
import type { Layer, Operation, Parameter, ParameterRole } from './operation.js';

/** Makes the record of one weight of the layer at hand. */
export type ParameterOf = (variable: LayerVariable, role: ParameterRole) => Parameter;

/**
 * How a layer class is taken apart: its elementary operations, applied one after the other (none: it passes its input
 * on). The first takes all of the layer's inputs, the others take one.
 *
 * @param layer the layer instance; it is built.
 * @param parameter makes the record of one of its weights.
 * @throws Error with one line that says why this layer cannot be measured.
 */
export type LayerRule = (layer: Layer, parameter: ParameterOf) => Operation[];

/** A layer class that cannot be measured: the reason follows its name, and says what to do. */
export function refused(reason: string): LayerRule {
  return (layer) => {
    throw new Error(`Layer '${layer.name}' (${layer.getClassName()}) ${reason}`);
  };
}
