import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { asam, sam, sharpnessPenalty } from 'tfjs-sharpness/optimizers';
import type { Settings } from '../settings.js';

/** The optimizer that was chosen. Those that look for flat minima have plain SGD inside. */
export function optimizer(
  { optimizer, learningRate, samRho, asamRho, lambda }: Settings,
  model: tfl.LayersModel,
): tf.Optimizer {
  switch (optimizer) {
    case 'sgd':
      return tf.train.sgd(learningRate);
    case 'adam':
      return tf.train.adam(learningRate);
    case 'sam':
      return sam(tf.train.sgd(learningRate), { rho: samRho });
    case 'asam':
      return asam(tf.train.sgd(learningRate), { rho: asamRho });
    case 'penalty':
      return sharpnessPenalty(tf.train.sgd(learningRate), { model, lambda, every: 2 });
  }
}
