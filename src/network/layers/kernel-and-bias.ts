import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { type KernelInputs, transposedTimes } from '../../tfjs/products.js';
import type { CallWithDelta, Layer, Operation, OuterProducts, Parameter, RecordedCall } from './operation.js';
import type { ParameterOf } from './rule.js';
import { affineSquaredNorms, biasSquaredNorm, joinKernelInputs, joinPositions } from './squared-norms.js';

/** A product with a kernel: all that tells one affine layer from another. */
export interface KernelProduct {
  /** The layer's output without its bias, the channels last. */
  product(x: tf.Tensor): tf.Tensor;
  backward: Operation['backward'];
  readonly norms: KernelNorms;
  readonly squares: KernelSquares;
  /** `smooth` if all of this has right gradients in tf.js. */
  readonly differentiable?: Operation['differentiable'];
  /**
   * What the kernel's gradient for one column is made of, with the elements of the kernel in their order.
   *
   * @param delta the deltas of all calls, joined along their positions: [N, P, O].
   */
  kernelProducts(
    calls: readonly CallWithDelta[],
    delta: tf.Tensor3D,
  ): OuterProducts & { readonly inputs?: tf.Tensor3D };
}

/** How sensitivities (`Sensitivity`) go through the product. */
export interface KernelSquares {
  /** The squares of the kernel, in the form in which `through` takes them: those of `kernelSquares`. */
  ofKernel(squares: tf.Tensor): tf.Tensor;
  /** sum_j k_ij^2 q_j, from the sensitivity of the input to that of the output. */
  through(q: tf.Tensor, ofKernel: tf.Tensor): tf.Tensor;
  /** What each output sees of the input, squared: sum over the elements of the kernel of (d y_i / d k)^2. */
  inputs(x: tf.Tensor): tf.Tensor;
  /** Whether all outputs count as seeing the whole of x, so that `inputs` is ||x||^2. Default false. */
  seesAll?(x: tf.Tensor): boolean;
}

/** The largest of a kernel's numbers, by size. */
export const largestOf = (kernel: tf.Tensor) => tf.maximum(tf.max(tf.abs(kernel)), 1e-30);

/** The squares of a kernel's numbers, in units of the largest of them. */
export const kernelSquares = (kernel: tf.Tensor) => tf.square(tf.div(kernel, largestOf(kernel)));

/** sum_{n,t} a_nt d_nt^T over samples and positions: [N, P, F] and [N, P, O] -> [F, O]. */
export function sumOfOuterProducts(inputs: tf.Tensor3D, delta: tf.Tensor3D): tf.Tensor2D {
  const rows = (x: tf.Tensor3D): tf.Tensor2D => tf.reshape(x, [-1, x.shape[2]]);
  return transposedTimes(rows(inputs), rows(delta));
}

/**
 * How the squared norm of the kernel's gradient comes about: from the rows that the kernel multiplies at the positions of the
 * layer's output, or in a way of its own.
 */
export type KernelNorms =
  | {
      /** @param call one call of the layer, its input in `saved[0]`. */
      readonly inputs: (call: RecordedCall) => KernelInputs;
    }
  | {
      /**
       * Squared norm of the kernel's gradient, summed over columns: [N].
       *
       * @param calls the layer's calls, the input of each in `saved[0]`.
       * @param delta the deltas of all calls, joined along their positions: [R * N, P, O].
       */
      readonly kernel: (calls: readonly CallWithDelta[], delta: tf.Tensor3D, columns: number) => tf.Tensor;
    };

/** [B, ...positions, C] -> [B, P, C]: everything between the batch and the last axis is a position. */
export function asPositions(x: tf.Tensor): tf.Tensor3D {
  return x.rank === 3 ? (x as tf.Tensor3D) : tf.reshape(x, [x.shape[0], -1, x.shape[x.rank - 1]]);
}

/** A product with a kernel and a bias, where there is one, that is added at every position. */
export function kernelAndBias(
  layer: Layer,
  kernelVariable: LayerVariable,
  biasVariable: LayerVariable | null,
  parameter: ParameterOf,
  { product, backward, norms, kernelProducts, differentiable, squares }: KernelProduct,
): Operation {
  const kernel = parameter(kernelVariable, 'kernel');
  const parameters: Parameter[] = biasVariable ? [kernel, parameter(biasVariable, 'bias')] : [kernel];
  return {
    layer,
    description: layer.getClassName(),
    scale: 'affine',
    piecewiseLinear: true,
    differentiable,
    parameters,
    matrices: [kernel],
    factorsNorms: kernel.trainable && 'inputs' in norms && !parameters[1]?.trainable,
    ...(kernel.trainable && { linearIn: [{ saved: 0, parameter: kernel }] }),
    forward([x]) {
      const linear = product(x);
      return {
        output: biasVariable ? tf.add(linear, biasVariable.read()) : linear,
        saved: kernel.trainable ? [x] : [],
      };
    },
    backward,
    sensitivity: {
      unit: () => largestOf(kernelVariable.read()),
      weights: () => [squares.ofKernel(kernelSquares(kernelVariable.read()))],
      through: ([q], { weights = [] }) => q && squares.through(q, weights[0]),
      addsToSamples: ({ inputs: [x] }) => squares.seesAll?.(x) === true,
      ofParameters: ({ inputs: [x] }) => parameters.map((each) => (each === kernel ? squares.inputs(x) : null)),
    },
    squaredNorms(calls, columns) {
      const delta = joinPositions(calls.map((call) => asPositions(call.delta)));
      if (kernel.trainable && 'inputs' in norms) {
        const found = affineSquaredNorms(joinKernelInputs(calls.map(norms.inputs)), delta, columns);
        calls[0].seeDeltaNorm?.(found.bias);
        return parameters.map((each) => (each.trainable ? (each === kernel ? found.kernel : found.bias) : null));
      }
      return parameters.map((each) => {
        if (!each.trainable) {
          return null;
        }
        return each === kernel && 'kernel' in norms
          ? norms.kernel(calls, delta, columns)
          : biasSquaredNorm(delta, columns);
      });
    },
    gradients(calls) {
      const delta = joinPositions(calls.map((call) => asPositions(call.delta)));
      return parameters.map((each) => {
        if (!each.trainable) {
          return null;
        }
        if (each !== kernel) {
          return tf.sum(delta, [0, 1]);
        }
        const { inputs, deltas } = kernelProducts(calls, delta);
        const gradient = inputs ? sumOfOuterProducts(inputs, deltas) : tf.sum(deltas, [0, 1]);
        return tf.reshape(gradient, kernelVariable.shape as number[]);
      });
    },
    outerProducts(calls) {
      const delta = joinPositions(calls.map((call) => asPositions(call.delta)));
      return parameters.map((each) =>
        each.trainable ? [each === kernel ? kernelProducts(calls, delta) : { deltas: delta }] : null,
      );
    },
  };
}
