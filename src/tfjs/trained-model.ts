import * as tfl from '@tensorflow/tfjs-layers';
import { replacing } from './replaced-method.js';

/**
 * Runs the loss function that a model handed to its optimizer, and says whose it is: undefined for a function of the
 * user's own.
 *
 * An optimizer never learns which model it trains. But a model's loss function asks the model, once, for the penalties of its
 * regularizers, by a method that can be listened to meanwhile.
 */
export function modelOfLoss<T>(loss: () => T): { value: T; model: tfl.LayersModel | undefined } {
  const prototype = tfl.LayersModel.prototype as unknown as { calculateLosses(this: tfl.LayersModel): unknown };
  const { calculateLosses } = prototype;
  let model: tfl.LayersModel | undefined;
  function listening(this: tfl.LayersModel): unknown {
    model ??= this; // models inside of the model are asked after it
    return calculateLosses.call(this);
  }
  const value = replacing(prototype, 'calculateLosses', listening, loss);
  return { value, model };
}

/** Runs a model's loss function without its metrics: tf.js would add their values to the batch's, and never dispose them. */
export function withoutMetrics<T>(model: tfl.LayersModel | undefined, loss: () => T): T {
  if (model === undefined) {
    return loss();
  }
  const { metricsTensors } = model;
  model.metricsTensors = [];
  try {
    return loss();
  } finally {
    model.metricsTensors = metricsTensors;
  }
}

/** Whether a `fit` of the model is under way. tf.js has this in a protected field, and clears it also where a fit throws. */
export function isBeingTrained(model: tfl.LayersModel | null | undefined): boolean {
  return (model as unknown as { readonly isTraining?: boolean } | null | undefined)?.isTraining === true;
}
