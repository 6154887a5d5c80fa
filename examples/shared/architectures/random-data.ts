import * as tf from '@tensorflow/tfjs';

/** Standard normal numbers. */
export function randomNumbers(shape: number[], seed: number): tf.Tensor {
  return tf.randomNormal(shape, 0, 1, 'float32', seed);
}

/** Whole numbers from `least` to `below - 1`. */
export function randomWholeNumbers(shape: number[], least: number, below: number, seed: number): tf.Tensor {
  return tf.tidy(() => tf.floor(tf.randomUniform(shape, least, below, 'float32', seed)));
}

/** One-hot rows of random classes, [...shape, classes]. */
export function randomClasses(shape: number[], classes: number, seed: number): tf.Tensor {
  return tf.tidy(() => tf.oneHot(tf.cast(randomWholeNumbers(shape, 0, classes, seed), 'int32'), classes).toFloat());
}
