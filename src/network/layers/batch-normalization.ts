import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { multiplyEachColumn } from './columns.js';
import type { CallWithDelta, Layer, Operation, Parameter } from './operation.js';
import type { LayerRule } from './rule.js';
import { biasSquaredNorm, joinPositions } from './squared-norms.js';

interface BatchNormalizationLayer extends Layer {
  axis: number;
  epsilon: number;
  gamma: LayerVariable | null;
  beta: LayerVariable | null;
  movingMean: LayerVariable;
  movingVariance: LayerVariable;
}

/**
 * Batch normalization as inference does it, an affine map of each channel:
 * y = gamma (x - moving_mean) / sqrt(moving_variance + epsilon) + beta. gamma counts as a kernel and beta as a bias; the
 * statistics are not trained by gradients and have no trace.
 */
export const batchNormalization: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as BatchNormalizationLayer;
  const gamma = layer.gamma ? parameter(layer.gamma, 'kernel') : null;
  const beta = layer.beta ? parameter(layer.beta, 'bias') : null;
  const parameters = [gamma, beta].filter((each): each is Parameter => each !== null);

  /** The shape that sets one number a channel against a tensor of this shape. */
  const channelShape = (shape: readonly number[]) => {
    const axis = layer.axis < 0 ? layer.axis + shape.length : layer.axis;
    return shape.map((size, i) => (i === axis ? size : 1));
  };
  const inverseDeviation = () => tf.rsqrt(tf.add(layer.movingVariance.read(), layer.epsilon));
  const normalize = (x: tf.Tensor) => {
    const shape = channelShape(x.shape);
    const centred = tf.sub(x, tf.reshape(layer.movingMean.read(), shape));
    return tf.mul(centred, tf.reshape(inverseDeviation(), shape));
  };
  /** [B, ..., C, ...] -> [B, P, C]. */
  const asPositions = (x: tf.Tensor): tf.Tensor3D => {
    const axis = layer.axis < 0 ? layer.axis + x.rank : layer.axis;
    const order = [...Array(x.rank).keys()].filter((i) => i !== axis);
    const channelsLast = axis === x.rank - 1 ? x : tf.transpose(x, [...order, axis]);
    return tf.reshape(channelsLast, [x.shape[0], -1, x.shape[axis]]);
  };

  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'affine',
    piecewiseLinear: true,
    differentiable: 'smooth',
    parameters,
    inputStatistics: [layer.movingMean],
    forward([x]) {
      const shape = channelShape(x.shape);
      const normalized = normalize(x);
      const scaled = layer.gamma ? tf.mul(normalized, tf.reshape(layer.gamma.read(), shape)) : normalized;
      const output = layer.beta ? tf.add(scaled, tf.reshape(layer.beta.read(), shape)) : scaled;
      return { output, saved: gamma?.trainable ? [normalized] : [] };
    },
    backward(_call, delta) {
      const factor = layer.gamma ? tf.mul(inverseDeviation(), layer.gamma.read()) : inverseDeviation();
      return [tf.mul(delta, tf.reshape(factor, channelShape(delta.shape)))];
    },
    squaredNorms(calls: readonly CallWithDelta[], columns) {
      return parameters.map((each) => {
        if (!each.trainable) {
          return null;
        }
        const contributions = calls.map(({ saved, delta }) =>
          asPositions(each === gamma ? multiplyEachColumn(delta, saved[0], columns) : delta),
        );
        return biasSquaredNorm(joinPositions(contributions), columns);
      });
    },
  };
  return [operation];
};
