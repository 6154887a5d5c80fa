import * as tf from '@tensorflow/tfjs-core';

type Method = (this: tf.Tensor, ...args: never[]) => tf.Tensor;

const methods: Readonly<Record<string, Method>> = {
  flatten(this: tf.Tensor) {
    return tf.reshape(this, [this.size]);
  },
  reshape(this: tf.Tensor, shape: number[]) {
    return tf.reshape(this, shape);
  },
  sign(this: tf.Tensor) {
    return tf.sign(this);
  },
  stridedSlice(this: tf.Tensor, begin: number[], end: number[], strides?: number[]) {
    return tf.stridedSlice(this, begin, end, strides);
  },
  transpose(this: tf.Tensor, axes?: number[]) {
    return tf.transpose(this, axes);
  },
};

/**
 * Gives tensors the methods by which tf.js' Orthogonal computes, the initializer of recurrent layers. Only the packages that are the whole
 * of tf.js, tfjs and tfjs-node, register them. Those that are there stay.
 */
export function addTensorMethods(): void {
  const prototype = tf.Tensor.prototype as unknown as Record<string, unknown>;
  for (const [name, method] of Object.entries(methods)) {
    prototype[name] ??= method;
  }
}
