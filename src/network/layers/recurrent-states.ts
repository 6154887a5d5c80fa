import * as tf from '@tensorflow/tfjs-core';
import { cut, pad } from '../../tfjs/mended-operations.js';
import type { Layer, Operation } from './operation.js';
import { byPlace } from './sensitivity.js';

/**
 * One of the outputs of a recurrence whose states come out too: some of its places along the time axis, [B, places, C].
 *
 * @param begin the first place; below 0, counted from the end.
 * @param end the place behind the last; below 1, counted from the end. Without it, one place alone: [B, C].
 */
export function placesOf(layer: Layer, description: string, begin: number, end?: number): Operation {
  const range = (places: number) => {
    const first = begin < 0 ? places + begin : begin;
    return [first, end === undefined ? first + 1 : end <= 0 ? places + end : end] as const;
  };
  const operation: Operation = {
    layer,
    description,
    scale: 'ties',
    piecewiseLinear: true,
    differentiable: 'linear',
    parameters: [],
    forward([x]) {
      const [samples, places, units] = x.shape as [number, number, number];
      const [from, to] = range(places);
      const some = cut(x, [0, from, 0], [samples, to - from, units]);
      return { output: end === undefined ? tf.reshape(some, [samples, units]) : some, saved: [] };
    },
    backward({ inputShapes: [[, places, units]] }, delta) {
      const [from, to] = range(places);
      const some: tf.Tensor3D = tf.reshape(delta, [delta.shape[0], to - from, units]);
      return [
        pad(some, [
          [0, 0],
          [from, places - to],
          [0, 0],
        ]),
      ];
    },
  };
  return { ...operation, sensitivity: byPlace(operation) };
}
