import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { layerAxis, repeatsWeightsByElement } from '../../tfjs/layer-axis.js';
import { multiplyEachColumn } from './columns.js';
import type { CallWithDelta, Layer, Operation, Parameter } from './operation.js';
import { alongSamples, type LayerRule } from './rule.js';
import { spread as allOf } from './sensitivity.js';
import { biasSquaredNorm, joinPositions } from './squared-norms.js';

interface BatchNormalizationLayer extends Layer {
  axis: number | string | readonly number[];
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
 *
 * The channels of a sample lie along the axis of the layer. Where the backend repeats the weights from element to element, they
 * lie as if along the last of [N, P, C] instead: what is measured is the function that tf.js computes there.
 */
export const batchNormalization: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as BatchNormalizationLayer;
  const rank = layer.inputSpec[0].ndim as number;
  const axis = layerAxis(layer.axis, rank);
  if (axis === 0) {
    throw alongSamples(layer);
  }
  const gamma = layer.gamma ? parameter(layer.gamma, 'kernel') : null;
  const beta = layer.beta ? parameter(layer.beta, 'bias') : null;
  const parameters = [gamma, beta].filter((each): each is Parameter => each !== null);
  const channels = layer.movingMean.shape[0] as number;

  /** The shape in which one number a channel is broadcast over a tensor that `spread` has been through. */
  const channelShape = () =>
    repeatsWeightsByElement(layer)
      ? [1, 1, channels]
      : Array.from({ length: rank }, (_, i) => (i === axis ? channels : 1));
  const spread = (x: tf.Tensor) => (repeatsWeightsByElement(layer) ? tf.reshape(x, [x.shape[0], -1, channels]) : x);
  const perChannel = (numbers: tf.Tensor) => tf.reshape(numbers, channelShape());
  const inverseDeviation = () => tf.rsqrt(tf.add(layer.movingVariance.read(), layer.epsilon));
  const factor = () => (layer.gamma ? tf.mul(inverseDeviation(), layer.gamma.read()) : inverseDeviation());
  const normalize = (x: tf.Tensor) =>
    tf.mul(tf.sub(spread(x), perChannel(layer.movingMean.read())), perChannel(inverseDeviation()));
  /** [B, ..., C, ...] -> [B, P, C]. */
  const asPositions = (x: tf.Tensor): tf.Tensor3D => {
    const order = [...Array(rank).keys()].filter((i) => i !== axis);
    const inOrder = axis === rank - 1 || repeatsWeightsByElement(layer) ? x : tf.transpose(x, [...order, axis]);
    return tf.reshape(inOrder, [x.shape[0], -1, channels]);
  };

  /** What adds up to the gradient of gamma or beta at the positions of all calls: [R * N, P, C]. */
  const contributionsTo = (each: Parameter, calls: readonly CallWithDelta[], columns: number) =>
    joinPositions(
      calls.map(({ saved, delta }) =>
        asPositions(each === gamma ? multiplyEachColumn(delta, saved[0], columns) : delta),
      ),
    );

  const operation: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'affine',
    piecewiseLinear: true,
    differentiable: 'smooth',
    parameters,
    inputStatistics: [layer.movingMean],
    ...(gamma?.trainable && { linearIn: [{ saved: 0, parameter: gamma }] }),
    forward([x]) {
      const normalized = normalize(x);
      const scaled = layer.gamma ? tf.mul(normalized, perChannel(layer.gamma.read())) : normalized;
      const output = layer.beta ? tf.add(scaled, perChannel(layer.beta.read())) : scaled;
      return { output: tf.reshape(output, x.shape), saved: gamma?.trainable ? [tf.reshape(normalized, x.shape)] : [] };
    },
    backward: (_call, delta) => [tf.reshape(tf.mul(spread(delta), perChannel(factor())), delta.shape)],
    sensitivity: {
      through: ([q], { inputs: [x] }) => {
        if (!q) {
          return null;
        }
        const squares = tf.square(perChannel(factor()));
        return repeatsWeightsByElement(layer)
          ? tf.reshape(tf.mul(spread(allOf(q, x.shape)), squares), x.shape)
          : tf.mul(q, squares);
      },
      ofParameters: ({ inputs: [x] }) =>
        parameters.map((each) => (each === gamma ? tf.square(tf.reshape(normalize(x), x.shape)) : null)),
    },
    squaredNorms: (calls, columns) =>
      parameters.map((each) =>
        each.trainable ? biasSquaredNorm(contributionsTo(each, calls, columns), columns) : null,
      ),
    outerProducts: (calls) =>
      parameters.map((each) => (each.trainable ? [{ deltas: contributionsTo(each, calls, 1) }] : null)),
  };
  return [operation];
};
