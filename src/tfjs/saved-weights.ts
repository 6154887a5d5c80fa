import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { identityOfValues } from './value-identity.js';
import { allVariables, variableOf } from './weights.js';

/** All weights of a model as they were at one point of time. */
export interface WeightCopies {
  /** Puts the weights back, bit for bit. The copies stay. */
  restore(): void;
  dispose(): void;
}

/** Clones every weight of the model, also those that are not trained, such as the moving averages of batch normalization. */
export function copyWeights(model: tfl.LayersModel): WeightCopies {
  const copies = model.weights.map((weight) => {
    const variable = variableOf(weight);
    return { variable, identity: identityOfValues(variable), copy: tf.keep(tf.clone(variable)) };
  });
  return {
    restore() {
      // Not `setWeights`: it applies constraints once more, and maxNorm or unitNorm then change the last bits.
      for (const { variable, identity, copy } of copies) {
        // Where nothing has moved, nothing is assigned: a measurement that is under way may go on.
        if (identityOfValues(variable) !== identity) {
          variable.assign(copy);
        }
      }
    },
    dispose() {
      tf.dispose(copies.map(({ copy }) => copy));
    },
  };
}

/**
 * Remembers the values of all variables that there are: weights, moving averages, what optimizers keep. Belongs inside of a
 * `tf.tidy`, which ends it.
 *
 * @returns a function that gives every variable that was assigned since its value back, bit for bit.
 */
export function snapshotVariables(): () => void {
  const remembered = allVariables().map((variable) => ({
    variable,
    identity: identityOfValues(variable),
    value: tf.clone(variable),
  }));
  return () => {
    for (const { variable, identity, value } of remembered) {
      if (!variable.isDisposed && identityOfValues(variable) !== identity) {
        variable.assign(value);
      }
    }
  };
}
