import type { layers } from '@tensorflow/tfjs-layers';
import { backendName } from './backend.js';

/**
 * The axis that a layer's `axis` setting means. tf.js uses the setting as the key of a shape, so that a list of one number, as
 * Keras 2 writes it for batch normalization (`[3]`), and a number as text are taken as well.
 *
 * @param rank of the layer's input, the batch axis counted.
 */
export function layerAxis(setting: number | string | readonly number[], rank: number): number {
  const axis = Number(setting);
  return axis < 0 ? axis + rank : axis;
}

/** The axis along which tf.js' Concatenate layer joins tensors: the last one for every negative setting. */
export function concatenationAxis(setting: number | string | readonly number[], rank: number): number {
  const axis = Number(setting);
  return axis < 0 || axis >= rank ? rank - 1 : axis;
}

/**
 * Whether the backend that runs now repeats the weights of a batch normalization from element to element, whatever its axis: the
 * FusedBatchNorm of cpu and wasm steps through tensor and weights side by side, and begins the weights again at their end. Along
 * the last axis that is right.
 */
export function repeatsWeightsByElement(layer: layers.Layer): boolean {
  const { axis, inputSpec } = layer as layers.Layer & { axis: number };
  const rank = inputSpec[0].ndim as number;
  return layerAxis(axis, rank) !== rank - 1 && ['cpu', 'wasm'].includes(backendName());
}
