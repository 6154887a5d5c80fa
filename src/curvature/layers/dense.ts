import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import type { Layer } from '../operation.js';
import { joinPositions, kernelSquaredNorm } from '../squared-norms.js';
import { activationOf } from './activation.js';
import { asPositions, type KernelProduct, kernelAndBias, sumOfOuterProducts } from './kernel-and-bias.js';
import type { LayerRule } from './rule.js';

interface DenseLayer extends Layer {
  kernel: LayerVariable;
  bias: LayerVariable | null;
}

/** x W, on vectors or at every position: [B, ..., F] -> [B, ..., O]. */
export function matrixProduct(matrix: () => tf.Tensor2D, fanIn: number, fanOut: number): KernelProduct {
  return {
    differentiable: 'smooth',
    product(x) {
      return tf.reshape(tf.matMul(tf.reshape(x, [-1, fanIn]), matrix()), [...x.shape.slice(0, -1), fanOut]);
    },
    backward(_call, delta) {
      const back = tf.matMul(tf.reshape(delta, [-1, fanOut]), matrix(), false, true);
      return [tf.reshape(back, [...delta.shape.slice(0, -1), fanIn])];
    },
    kernelNorm: (calls, delta, columns) =>
      kernelSquaredNorm(joinPositions(calls.map((call) => asPositions(call.saved[0]))), delta, columns),
    kernelGradient: (calls, delta) =>
      sumOfOuterProducts(joinPositions(calls.map((call) => asPositions(call.saved[0]))), delta),
  };
}

/** z = x W + b, on vectors or at every position of a sequence. */
export const dense: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as DenseLayer;
  const [fanIn, fanOut] = layer.kernel.shape as [number, number];
  const product = matrixProduct(() => layer.kernel.read() as tf.Tensor2D, fanIn, fanOut);
  const linear = {
    ...kernelAndBias(layer, layer.kernel, layer.bias, parameter, product),
    squaredNormsOfVector: (inputNorm: number, deltaNorm: number) =>
      layer.bias ? [inputNorm * deltaNorm, deltaNorm] : [inputNorm * deltaNorm],
  };
  return [linear, ...activationOf(layer)];
};
