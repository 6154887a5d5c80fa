import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { columnsTimesTransposed } from '../../tfjs/column-products.js';
import { timesTransposed } from '../../tfjs/products.js';
import { sumOfSquaresOfLast } from '../../tfjs/sum-of-squares.js';
import { activationOf } from './activation.js';
import { asPositions, type KernelProduct, kernelAndBias } from './kernel-and-bias.js';
import type { Layer, Operation } from './operation.js';
import type { LayerRule } from './rule.js';
import { joinPositions, kernelInputsOf, sumOfSquares } from './squared-norms.js';

interface DenseLayer extends Layer {
  kernel: LayerVariable;
  bias: LayerVariable | null;
}

/** Applies what works on rows to the last axis: [B, ..., C] -> [B, ..., width]. */
function onRows(x: tf.Tensor, width: number, f: (rows: tf.Tensor2D) => tf.Tensor2D): tf.Tensor {
  if (x.rank === 2) {
    return f(x as tf.Tensor2D);
  }
  const rows: tf.Tensor2D = tf.reshape(x, [-1, x.shape[x.rank - 1]]);
  return tf.reshape(f(rows), [...x.shape.slice(0, -1), width]);
}

/** x W, on vectors or at every position: [B, ..., F] -> [B, ..., O]. */
export function matrixProduct(matrix: () => tf.Tensor2D, fanIn: number, fanOut: number): KernelProduct {
  return {
    differentiable: 'smooth',
    product: (x) => onRows(x, fanOut, (rows) => tf.matMul(rows, matrix())),
    backward: (_call, delta) => [onRows(delta, fanIn, (rows) => timesTransposed(rows, matrix()))],
    norms: { inputs: (call) => kernelInputsOf(asPositions(call.saved[0])) },
    squares: {
      ofKernel: (squares) => (squares.rank === 2 ? squares : tf.reshape(squares, [fanIn, fanOut])),
      seesAll: (x) => x.rank === 2,
      through(q, squares) {
        return q.shape[q.rank - 1] < fanIn
          ? onRows(q, fanOut, (rows) => tf.mul(rows, tf.sum(squares, 0, true)))
          : onRows(q, fanOut, (rows) => tf.matMul(rows, squares as tf.Tensor2D));
      },
      inputs: (x) => tf.sum(tf.square(x), -1, true),
    },
    kernelProducts: (calls, deltas) => ({
      inputs: joinPositions(calls.map((call) => asPositions(call.saved[0]))),
      deltas,
    }),
  };
}

/** z = x W + b, on vectors or at every position of a sequence. */
export const dense: LayerRule = (anyLayer, parameter) => {
  const layer = anyLayer as DenseLayer;
  const [fanIn, fanOut] = layer.kernel.shape as [number, number];
  const matrix = () => layer.kernel.read() as tf.Tensor2D;
  const product = matrixProduct(matrix, fanIn, fanOut);
  const affine = kernelAndBias(layer, layer.kernel, layer.bias, parameter, product);
  /** On vectors, ||a||^2 sum_r ||d_r||^2 and sum_r ||d_r||^2, without a detour over positions. */
  const normsOfVectors = (x: tf.Tensor, ofDelta: tf.Tensor1D) =>
    affine.parameters.map(({ trainable, role }) => {
      if (!trainable) {
        return null;
      }
      return role === 'kernel' ? tf.mul(sumOfSquares(x, 1), ofDelta) : ofDelta;
    });
  const linear: Operation = {
    ...affine,
    squaredNorms(calls, columns) {
      const [{ saved, delta }] = calls;
      if (calls.length > 1 || delta.rank > 2) {
        return affine.squaredNorms?.(calls, columns) ?? [];
      }
      const ofDelta = sumOfSquares(delta, columns);
      calls[0].seeDeltaNorm?.(ofDelta);
      return normsOfVectors(saved[0], ofDelta);
    },
    byColumn: {
      backward: (_call, delta) => columnsTimesTransposed(delta, matrix()),
      squaredNorms({ saved }, delta, seeDeltaNorm) {
        const ofDelta: tf.Tensor1D = tf.sum(sumOfSquaresOfLast(delta), 0);
        seeDeltaNorm?.(ofDelta);
        return normsOfVectors(saved[0], ofDelta);
      },
    },
    squaredNormsOfVector: (inputNorm: number, deltaNorm: number) =>
      layer.bias ? [inputNorm * deltaNorm, deltaNorm] : [inputNorm * deltaNorm],
  };
  return [linear, ...activationOf(layer)];
};
