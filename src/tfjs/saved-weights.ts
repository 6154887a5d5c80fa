import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { identityOfValues } from './value-identity.js';
import { allVariables, variableOf } from './weights.js';

/** All weights of a model as they were at one point of time. */
export interface WeightCopies {
  /** The copies, in the order of `model.getWeights()`. They go with `dispose`. */
  readonly tensors: readonly tf.Tensor[];
  /** Puts the weights back, bit for bit. The copies stay. */
  restore(): void;
  dispose(): void;
}

/** Clones every weight of the model, also those that are not trained, such as the moving averages of batch normalization. */
export function copyWeights(model: tfl.LayersModel): WeightCopies {
  return copiesOf(
    model.weights.map((weight) => {
      const variable = variableOf(weight);
      return { variable, identity: identityOfValues(variable), copy: tf.keep(tf.clone(variable)) };
    }),
  );
}

/**
 * Clones tensors that were the weights of the model once, in the order of `model.getWeights()`, in the types of the weights.
 *
 * @throws Error with one line if their number or a shape is not that of the weights, and if one is disposed.
 */
export function copyAsWeights(model: tfl.LayersModel, tensors: readonly tf.Tensor[]): WeightCopies {
  const shapes = (of: readonly { readonly shape: readonly (number | null)[] }[]) =>
    of.map(({ shape }) => `[${shape.join(', ')}]`).join(', ') || 'none';
  if (shapes(tensors) !== shapes(model.weights)) {
    throw new Error(
      `weights of the shapes ${shapes(model.weights)} are wanted, as model.getWeights() has them, but they are ${shapes(tensors)}.`,
    );
  }
  const gone = tensors.findIndex(({ isDisposed }) => isDisposed);
  if (gone >= 0) {
    throw new Error(`tensor ${gone} of the weights is disposed: keep them until they have been given back.`);
  }
  return copiesOf(
    model.weights.map((weight, i) => {
      const variable = variableOf(weight);
      return { variable, identity: undefined, copy: tf.keep(tf.cast(tensors[i], variable.dtype)) };
    }),
  );
}

interface WeightCopy {
  readonly variable: ReturnType<typeof variableOf>;
  /** Of the values that were copied, where the variable had them. */
  readonly identity: ReturnType<typeof identityOfValues> | undefined;
  readonly copy: tf.Tensor;
}

function copiesOf(copies: readonly WeightCopy[]): WeightCopies {
  return {
    tensors: copies.map(({ copy }) => copy),
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
