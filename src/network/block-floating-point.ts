import * as tf from '@tensorflow/tfjs-core';

/**
 * Numbers in block floating point: those of sample n are 2^exponent_n times what is in the tensor, so that they may be far outside
 * of float32's range. Powers of two round nothing.
 */
export type Scaled = {
  /** [R * N, ...], column by column. */
  readonly tensor: tf.Tensor;
  /** [N], whole numbers. */
  readonly exponent: tf.Tensor1D;
};

/** Of samples that are 0 throughout: below all others, so that they never decide about a common exponent. */
const EXPONENT_OF_ZERO = -(2 ** 22);
/** The largest number of float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;
/** Powers of two that are normal numbers in float32. */
const [LOWEST, HIGHEST] = [-126, 127];
const powers = Float32Array.from({ length: HIGHEST - LOWEST + 1 }, (_, i) => 2 ** (LOWEST + i));

/** Looked up, since tf.pow rounds on some backends. */
function powerOfTwo(exponent: tf.Tensor): tf.Tensor {
  const place = tf.sub(tf.clipByValue(exponent, LOWEST, HIGHEST), LOWEST);
  return tf.gather(tf.tensor1d(powers), tf.cast(place, 'int32'));
}

/** x 2^shift, sample by sample, for shifts of twice float32's range. */
function shifted(x: tf.Tensor, shift: tf.Tensor1D): tf.Tensor {
  const samples = shift.shape[0];
  const half = tf.floor(tf.div(shift, 2));
  const blocks = tf.reshape(x, [-1, samples, x.size / x.shape[0]]);
  const times = (y: tf.Tensor, exponent: tf.Tensor) => tf.mul(y, tf.reshape(powerOfTwo(exponent), [1, samples, 1]));
  return tf.reshape(times(times(blocks, half), tf.sub(shift, half)), x.shape);
}

/** Chooses the exponents so that the largest number of each sample, over all columns, is about 2^magnitude in the tensor. */
export function scaledTo(magnitude: number, { tensor, exponent }: Scaled): Scaled {
  const samples = exponent.shape[0];
  const blocks = tf.reshape(tf.abs(tensor), [-1, samples, tensor.size / tensor.shape[0]]);
  const largest: tf.Tensor1D = tf.max(tf.max(blocks, 2), 0);
  const isZero = tf.equal(largest, 0);
  // What is not a number stays as it is.
  const isNumber = tf.logicalAnd(tf.greater(largest, 0), tf.lessEqual(largest, LARGEST));
  const size = tf.where(
    isNumber,
    tf.floor(tf.div(tf.log(tf.where(isNumber, largest, tf.onesLike(largest))), Math.LN2)),
    tf.zerosLike(largest),
  );
  const shift = tf.where(isNumber, tf.sub(magnitude, size), tf.zerosLike(largest)) as tf.Tensor1D;
  return {
    tensor: shifted(tensor, shift),
    exponent: tf.where(isZero, tf.fill([samples], EXPONENT_OF_ZERO), tf.sub(exponent, shift)) as tf.Tensor1D,
  };
}

/** The same numbers, with the exponents of all in common: the largest, so that none overflows. */
export function aligned(all: readonly Scaled[]): { tensors: tf.Tensor[]; exponent: tf.Tensor1D } {
  if (all.length === 1) {
    return { tensors: [all[0].tensor], exponent: all[0].exponent };
  }
  const exponent = all.map((each) => each.exponent).reduce((a, b) => tf.maximum(a, b)) as tf.Tensor1D;
  return { tensors: all.map((each) => shifted(each.tensor, tf.sub(each.exponent, exponent) as tf.Tensor1D)), exponent };
}

/** a + b. */
export function sumOf(a: Scaled, b: Scaled): Scaled {
  const { tensors, exponent } = aligned([a, b]);
  return { tensor: tf.add(tensors[0], tensors[1]), exponent };
}
