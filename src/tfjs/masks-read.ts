import type * as tf from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import { replacing } from './replaced-method.js';

type Layer = layers.Layer;

/** What tf.js hands to `call`: one object for all layers of a model, in which the latest mask stays. */
type CallArguments = Parameters<Layer['call']>[1] & { readonly mask?: tf.Tensor | null };

/** Runs a model, and says which of these layers read a mask: those that were handed one and looked. */
export function masksReadBy(layers: readonly Layer[], run: () => void): ReadonlySet<Layer> {
  const readers = new Set<Layer>();
  const watched = layers.reduce((scope, layer) => {
    const { call } = layer;
    const watching: Layer['call'] = (inputs, given) => {
      const { mask: handed, ...others } = given as CallArguments;
      let mask = handed;
      const seen = {
        ...others,
        get mask() {
          if (mask === handed && mask !== undefined && mask !== null) {
            readers.add(layer);
          }
          return mask;
        },
        // A model that the layer runs puts its own masks there.
        set mask(own) {
          mask = own;
        },
      };
      return call.call(layer, inputs, seen as CallArguments);
    };
    return () => replacing(layer, 'call', watching, scope);
  }, run);
  watched();
  return readers;
}
