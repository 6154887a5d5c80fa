import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { multiplyEachColumn } from './columns.js';
import type { CallWithDelta, Layer, Operation } from './operation.js';
import type { LayerRule } from './rule.js';
import { bySlope } from './sensitivity.js';
import { biasSquaredNorm, joinPositions } from './squared-norms.js';

interface PreluLayer extends Layer {
  alpha: LayerVariable;
}

/**
 * f(x) = x where positive, alpha x elsewhere, with a trained alpha for every unit or for those that share axes. Homogeneous
 * like ReLU, with alpha as it is: alpha takes no part in the rescaling.
 */
export const prelu: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as PreluLayer;
  const alpha = parameter(layer.alpha, 'fixed');
  /** What adds up to the gradient of alpha in all calls: [R * N, calls, alphas]. */
  const contributions = (calls: readonly CallWithDelta[], columns: number) =>
    joinPositions(
      calls.map(({ saved, delta }): tf.Tensor3D => {
        const product = multiplyEachColumn(delta, saved[1], columns);
        const shared = layer.alpha.shape.flatMap((size, i) => (size === 1 ? [i + 1] : []));
        return tf.reshape(shared.length > 0 ? tf.sum(product, shared) : product, [delta.shape[0], 1, -1]);
      }),
    );
  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'ties',
    piecewiseLinear: true,
    parameters: [alpha],
    ...(alpha.trainable && { linearIn: [{ saved: 1, parameter: alpha }] }),
    forward([x]) {
      const slope = layer.alpha.read();
      const positive = tf.cast(tf.greater(x, 0), 'float32');
      const derivative = tf.add(positive, tf.mul(tf.sub(1, positive), slope));
      return {
        output: tf.mul(x, derivative),
        saved: alpha.trainable ? [derivative, tf.mul(x, tf.sub(1, positive))] : [derivative],
      };
    },
    backward: ({ saved }, delta, columns) => [multiplyEachColumn(delta, saved[0], columns)],
    sensitivity: { ...bySlope, ofParameters: ({ inputs: [x] }) => [tf.square(tf.minimum(x, 0))] },
    squaredNorms: (calls, columns) => [
      alpha.trainable ? biasSquaredNorm(contributions(calls, columns), columns) : null,
    ],
    outerProducts: (calls) => [alpha.trainable ? [{ deltas: contributions(calls, 1) }] : null],
  };
  return [operation];
};
