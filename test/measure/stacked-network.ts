import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { lcg, setGoldenWeights } from './golden-network.js';

/** A sequential model with the golden weights of one seed. */
export function chain(...stack: tfl.layers.Layer[]): tfl.LayersModel {
  const model = tfl.sequential();
  for (const layer of stack) {
    model.add(layer);
  }
  setGoldenWeights(model, 7);
  return model;
}

/** Uniform in [-1, 1]. */
export function randomInputs(model: tfl.LayersModel, samples: number): tf.Tensor {
  const shape = [samples, ...(model.inputs[0]!.shape.slice(1) as number[])];
  return tf.tensor(
    lcg(
      3,
      shape.reduce((a, b) => a * b, 1),
    ).map((u) => 2 * u - 1),
    shape,
  );
}
