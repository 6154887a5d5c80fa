import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import type { CallWithDelta, Layer, Operation, Parameter } from '../operation.js';
import { biasSquaredNorm, joinPositions, kernelSquaredNorm } from '../squared-norms.js';
import { activationOf } from './activation.js';
import type { LayerRule } from './rule.js';

interface DenseLayer extends Layer {
  kernel: LayerVariable;
  bias: LayerVariable | null;
}

/** [N, ..., F] -> [N, P, F]: everything between the batch and the last axis is a position. */
function asPositions(x: tf.Tensor): tf.Tensor3D {
  return tf.reshape(x, [x.shape[0], -1, x.shape[x.rank - 1]]);
}

/** z = x W + b, on vectors or at every position of a sequence. */
export const dense: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as DenseLayer;
  const kernel = parameter(layer.kernel, 'kernel');
  const bias = layer.bias ? parameter(layer.bias, 'bias') : null;
  const parameters: Parameter[] = bias ? [kernel, bias] : [kernel];

  const linear: Operation = {
    layer,
    description: layer.getClassName(),
    scale: 'affine',
    piecewiseLinear: true,
    parameters,
    forward([x]) {
      const [fanIn, fanOut] = layer.kernel.shape as [number, number];
      const product = tf.matMul(tf.reshape(x, [-1, fanIn]), layer.kernel.read() as tf.Tensor2D);
      const shifted = layer.bias ? tf.add(product, layer.bias.read()) : product;
      const output = tf.reshape(shifted, [...x.shape.slice(0, -1), fanOut]);
      return { output, saved: kernel.trainable ? [x] : [] };
    },
    backward(call, delta) {
      const [, fanOut] = layer.kernel.shape as [number, number];
      const back = tf.matMul(tf.reshape(delta, [-1, fanOut]), layer.kernel.read() as tf.Tensor2D, false, true);
      return [tf.reshape(back, [delta.shape[0], ...call.inputShapes[0].slice(1)])];
    },
    squaredNorms(calls: readonly CallWithDelta[], columns) {
      const delta = joinPositions(calls.map((call) => asPositions(call.delta)));
      const norms: (tf.Tensor | null)[] = [null];
      if (kernel.trainable) {
        norms[0] = kernelSquaredNorm(joinPositions(calls.map((call) => asPositions(call.saved[0]))), delta, columns);
      }
      if (bias) {
        norms.push(bias.trainable ? biasSquaredNorm(delta, columns) : null);
      }
      return norms;
    },
    squaredNormsOfVector: (inputNorm, deltaNorm) =>
      bias ? [inputNorm * deltaNorm, deltaNorm] : [inputNorm * deltaNorm],
  };
  return [linear, ...activationOf(layer)];
};
