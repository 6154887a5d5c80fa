import * as tf from '@tensorflow/tfjs-core';

/*
 * Operations of TensorFlow's that tf.js has no function for, or one of more launches. They have no gradient.
 */

/** Methods of the native backend, as far as they are used here. */
interface NativeBackend {
  readonly binding: { readonly TF_ATTR_TYPE: number };
  getDTypeInteger(dtype: tf.DataType): number;
  createReductionOpAttrs(x: tf.Tensor, keepDims: boolean): object[];
  executeSingleOutput(name: string, attributes: object[], inputs: readonly tf.Tensor[]): tf.Tensor;
}

const native = () => tf.backend() as unknown as NativeBackend;

/** An operation on tensors of one type, which is its only attribute. */
export function nativeOperation(name: string, inputs: readonly tf.Tensor[]): tf.Tensor {
  const backend = native();
  const type = { name: 'T', type: backend.binding.TF_ATTR_TYPE, value: backend.getDTypeInteger(inputs[0].dtype) };
  return backend.executeSingleOutput(name, [type], inputs);
}

/** A reduction of these axes, such as 'Mean' or 'EuclideanNorm'. */
export function nativeReduction(name: string, x: tf.Tensor, axes: readonly number[], keepDims = false): tf.Tensor {
  const backend = native();
  const places = tf.tensor1d([...axes], 'int32');
  try {
    return backend.executeSingleOutput(name, backend.createReductionOpAttrs(x, keepDims), [x, places]);
  } finally {
    places.dispose();
  }
}
