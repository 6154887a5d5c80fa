import * as tf from '@tensorflow/tfjs-core';
import { isNative } from './backend.js';
import { nativeReduction } from './native-operation.js';

/*
 * Native, by TensorFlow's EuclideanNorm, which squares as it goes along: in a half to a third of the time, and with nothing of the size
 * of x to write.
 */

/** Sum of squares along the last axis: [..., F] -> [...]. */
export function sumOfSquaresOfLast(x: tf.Tensor): tf.Tensor {
  if (!isNative()) {
    return tf.sum(tf.square(x), -1);
  }
  return tf.customGrad((...inputs) => {
    const [rows, save] = inputs as [tf.Tensor, tf.GradSaveFunc];
    save([rows]);
    return {
      value: tf.square(nativeReduction('EuclideanNorm', rows, [rows.rank - 1])),
      // That of the squares: the norm itself has none at 0.
      gradFunc: (dy: tf.Tensor, [kept]: tf.Tensor[]) => tf.mul(kept, tf.expandDims(tf.mul(dy, 2), -1)),
    };
  })(x);
}

/**
 * ||x||^2 of the samples of tensors, [N, ...] each, one column a tensor, and behind them one of ones: [N, tensors + 1]. It has no
 * gradient.
 */
export function squaredNormsAndOnes(tensors: readonly tf.Tensor[]): tf.Tensor2D {
  const ones = tf.tensor1d(new Float32Array(tensors[0].shape[0]).fill(1));
  const inner = (x: tf.Tensor) => [...x.shape.keys()].slice(1);
  if (!isNative()) {
    return tf.stack([...tensors.map((x) => tf.sum(tf.square(x), inner(x))), ones], 1) as tf.Tensor2D;
  }
  const norms = tensors.map((x) => nativeReduction('EuclideanNorm', x, inner(x)));
  return tf.square(tf.stack([...norms, ones], 1)) as tf.Tensor2D;
}
