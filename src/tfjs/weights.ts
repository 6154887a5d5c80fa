import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { layersInside } from './layers-inside.js';
import { compiledModel } from './model-graph.js';

/** A weight tensor: a layer's variable, or a `tf.Variable` of the user's. */
export interface Weight {
  /** The name that readings show. */
  readonly originalName: string;
  read(): tf.Tensor;
}

/** The variable inside of a weight: what a layer's variable gives to read is that itself, by its type a tensor. */
export function variableOf(weight: Weight): tf.Variable {
  return weight.read() as tf.Variable;
}

/** A variable of the user's as a weight. */
export function weightOf(name: string, variable: tf.Variable): Weight {
  return { originalName: name, read: () => variable };
}

/** All variables that there are: weights, moving averages, what optimizers keep. The engine knows them; nobody else has a list. */
export function allVariables(): tf.Variable[] {
  return Object.values(tf.engine().registeredVariables);
}

/**
 * The weights that training moves. `fit` and `trainOnBatch` train those that `compile` has collected, less those whose variables
 * have been frozen since; what `trainable` says of the layers by then makes no difference. (So a Sequential trains the layers of a
 * frozen model that stands first in it, a functional model does not; an LSTM that is frozen after `compile` goes on training, a
 * dense layer does not.) Where nothing has been compiled, those of the layers that say so.
 */
export function trainedWeights(model: tfl.LayersModel): tfl.LayerVariable[] {
  const { collectedTrainableWeights } = compiledModel(model) as unknown as {
    readonly collectedTrainableWeights?: tfl.LayerVariable[];
  };
  return (collectedTrainableWeights ?? model.trainableWeights).filter((weight) => variableOf(weight).trainable);
}

/** The weights that training would move if nothing was frozen: all but the likes of a moving mean. */
export function learnedWeights(model: tfl.LayersModel): tfl.LayerVariable[] {
  // A frozen layer says that it has none to train, but keeps them in this field.
  const layers = layersInside(model) as unknown as readonly {
    readonly _trainableWeights?: readonly tfl.LayerVariable[];
  }[];
  return [...new Set(layers.flatMap(({ _trainableWeights = [] }) => _trainableWeights))];
}
