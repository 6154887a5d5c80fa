import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';

/** All weights of a model as they were at one point of time. */
export interface WeightCopies {
  /** Puts the weights back, bit for bit. The copies stay. */
  restore(): void;
  dispose(): void;
}

/** Clones every weight of the model, also those that are not trained, such as the moving averages of batch normalization. */
export function copyWeights(model: tfl.LayersModel): WeightCopies {
  const copies = model.weights.map((weight) => ({ weight, copy: tf.keep(tf.clone(weight.read())) }));
  return {
    restore() {
      // Not `setWeights`: it applies constraints once more, and maxNorm or unitNorm then change the last bits.
      for (const { weight, copy } of copies) (weight.read() as tf.Variable).assign(copy);
    },
    dispose() {
      tf.dispose(copies.map(({ copy }) => copy));
    },
  };
}
