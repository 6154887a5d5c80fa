import type * as tfl from '@tensorflow/tfjs-layers';

/** @throws Error with one line for a model that is not built or has nothing to measure. */
export function checkModel(model: tfl.LayersModel): void {
  if (typeof model?.getClassName !== 'function' || !('trainableWeights' in model)) {
    throw new Error('model must be a tf.LayersModel, from tf.sequential, tf.model or tf.loadLayersModel.');
  }
  // `model.built` stays false in a Sequential until something runs it, though its graph is there.
  if (!model.inputs?.length || !model.outputs?.length) {
    throw new Error('The model is not built: give its first layer an inputShape, or call model.build(inputShape).');
  }
  if (model.weights.length === 0) {
    throw new Error('The model has no weights, so it has no sharpness: add a layer with weights.');
  }
  if (model.trainableWeights.length === 0) {
    throw new Error('The model has no trained weights, every layer is frozen: set trainable = true on some layer.');
  }
}
