import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { cut } from '../../tfjs/mended-operations.js';
import type { Layer, Operation } from './operation.js';
import { byPlace } from './sensitivity.js';

/** Several outputs side by side, so that they travel as one tensor: [B, S]. */
export function packOutputs(outputs: readonly tf.Tensor[]): tf.Tensor {
  return tf.concat(
    outputs.map((x): tf.Tensor2D => tf.reshape(x, [x.shape[0], -1])),
    1,
  );
}

/**
 * One of the outputs that {@link packOutputs} put side by side.
 *
 * @param shapes of all outputs, the batch axis first.
 * @throws Error with one line when a shape has an open size other than the batch.
 */
export function outputPart(layer: Layer, shapes: readonly tfl.Shape[], part: number): Operation {
  const sizes = shapes.map(([, ...shape]) =>
    shape.reduce((product: number | null, n) => product && n && product * n, 1),
  );
  if (sizes.includes(null)) {
    throw new Error(
      `Layer '${layer.name}' (${layer.getClassName()}) has several outputs, one of open length: give its inputs a fixed ` +
        'length, or let it return one tensor.',
    );
  }
  const widths = sizes as number[];
  const begin = widths.slice(0, part).reduce((sum, width) => sum + width, 0);
  const width = widths[part];
  const all = widths.reduce((sum, each) => sum + each, 0);
  const operation: Operation = {
    layer,
    description: `output ${part} of ${layer.getClassName()}`,
    scale: 'ties',
    piecewiseLinear: true,
    parameters: [],
    forward: ([x]) => ({
      output: tf.reshape(cut(x, [0, begin], [x.shape[0], width]), [x.shape[0], ...(shapes[part].slice(1) as number[])]),
      saved: [],
    }),
    backward: (_call, delta) => [
      tf.pad(tf.reshape(delta, [delta.shape[0], width]), [
        [0, 0],
        [begin, all - begin - width],
      ]),
    ],
  };
  return { ...operation, sensitivity: byPlace(operation) };
}
