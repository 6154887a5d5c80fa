import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { type Graph, unfold } from '../network/graph.js';
import type { Layer } from '../network/layers/operation.js';
import { isOfTfjs } from '../network/layers/table.js';
import { layersInside } from '../tfjs/layers-inside.js';
import { masksReadBy } from '../tfjs/masks-read.js';
import { lineOf } from '../warnings.js';

/** Outputs of models that were checked: a model that layers are added to has others. */
const checked = new WeakSet<object>();

/**
 * Whether every layer that reads a mask when tf.js runs the model has one in the network that is measured, once a model in which a
 * mask may begin. No number is looked at, so that neither samples nor weights matter.
 *
 * @param inputs [N, ...] each.
 * @throws Error with one line where a rule of the user's takes no notice of the mask, and where tf.js cannot run the model.
 */
export function checkMaskedForward(model: tfl.LayersModel, inputs: readonly tf.Tensor[]): void {
  if (checked.has(model.outputs) || !layersInside(model).some(mayBeginMask)) {
    return;
  }
  const [reader] = masksReadBy(layersWithoutMask(unfold(model)), () => {
    try {
      tf.tidy(() => {
        model.predict(inputs.map((x) => tf.slice(x, 0, 1)));
      });
    } catch (error) {
      throw new Error(`tf.js cannot run this model on a sample: ${lineOf(error)}`, { cause: error });
    }
  });
  if (reader) {
    throw new Error(
      `Layer '${reader.name}' (${reader.getClassName()}) reads the mask that tf.js hands to it, and its rule does not: give the ` +
        'operation whose forward takes the mask usesMask: true, or measure a model without the mask.',
    );
  }
  checked.add(model.outputs);
}

/** Of tf.js' layers, only these begin a mask; those of the user's may. */
function mayBeginMask(layer: Layer): boolean {
  const { maskZero } = layer as Layer & { readonly maskZero?: boolean };
  const className = layer.getClassName();
  return maskZero === true || className === 'Masking' || !isOfTfjs(layer);
}

/** The layers that have no mask in any of their calls. (tf.js runs a call once for each of its outputs: they cannot be told apart.) */
function layersWithoutMask({ steps }: Graph): Layer[] {
  const layersOf = (some: Graph['steps']) => new Set(some.map(({ operation }) => operation.layer as Layer));
  const masked = layersOf(steps.filter(({ mask }) => mask !== undefined));
  return [...layersOf(steps)].filter((layer) => !masked.has(layer));
}
