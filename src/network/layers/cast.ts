import * as tf from '@tensorflow/tfjs-core';
import type { Layer, Operation } from './operation.js';
import { nothingPasses } from './sensitivity.js';

/** The same numbers in another type. Between floats, whole numbers and truth values there is no gradient, and no scale moves. */
export function cast(layer: Layer, description: string, type: tf.DataType): Operation {
  return {
    layer,
    description,
    scale: 'pins',
    piecewiseLinear: true,
    parameters: [],
    forward: ([x]) => ({ output: tf.cast(x, type), saved: [] }),
    sensitivity: nothingPasses,
    backward: ({ inputShapes: [[, ...shape]] }, delta) => [tf.zeros([delta.shape[0], ...shape])],
  };
}
