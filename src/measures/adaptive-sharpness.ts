import * as tf from '@tensorflow/tfjs-core';
import { checkKnownOptions, checkNumber, checkWhole } from '../checks.js';
import {
  type LossOfWeights,
  largestIn,
  lengthOf,
  lossHere,
  trainedVariablesIn,
  type Weights,
  withOtherWeights,
} from './other-weights.js';

export interface AdaptiveSharpnessOptions {
  /** Radius of the ball: the length of the relative changes of all weights together. Default 0.5. */
  readonly rho?: number;
  /** Steps of gradient ascent; 1 is what ASAM does. Default 20. */
  readonly steps?: number;
}

const knownOptions = { rho: true, steps: true } satisfies Record<keyof AdaptiveSharpnessOptions, true>;

/**
 * Adaptive sharpness: how much higher the loss can be when every weight is changed in proportion to its size,
 *
 *     max over ||u|| <= rho of  L(w + |w| u) - L(w),   element by element,
 *
 * found by steps of gradient ascent along |w| g, of length 2 rho / steps (rho where there is one), each taken back into the ball; the highest loss met
 * counts, so that the value is a lower bound of the maximum, at least 0. (Kwon, Kim, Park, Choi, "ASAM: Adaptive Sharpness-Aware Minimization for
 * Scale-Invariant Learning of Deep Neural Networks", ICML 2021, equation 3 with p = 2 and T = |w|, of biases too.) Rescaling layers, so
 * that the function stays the same, does not change it.
 *
 * @param loss the mean loss over the samples whose common worst case is wanted, with gradients (no `predict`), in inference.
 * @throws Error with one line for wrong options, for weights that are no variables or are not trained, and for a loss that is not one
 *   finite number or has a gradient that is not finite.
 */
export function adaptiveSharpness(
  loss: LossOfWeights,
  weights: Weights,
  options: AdaptiveSharpnessOptions = {},
): number {
  checkKnownOptions('adaptiveSharpness', options, knownOptions);
  const variables = trainedVariablesIn('adaptiveSharpness', weights);
  const { rho = 0.5, steps = 20 } = options;
  checkNumber('adaptiveSharpness: rho', rho, { above: 0 });
  checkWhole('adaptiveSharpness: steps', steps, { atLeast: 1 });
  const before = lossHere('adaptiveSharpness', loss);
  const stride = steps === 1 ? rho : (2 * rho) / steps;
  return withOtherWeights(variables, (values) => {
    let moves: tf.Tensor[] = values.map((value) => tf.zerosLike(value));
    let most = 0;
    try {
      for (let step = 0; step < steps; step++) {
        const next = tf.tidy(() => {
          const { grads } = tf.variableGrads(loss, [...variables]);
          const slopes = variables.map((weight, b) =>
            tf.mul(tf.abs(values[b]), grads[weight.name] ?? tf.zerosLike(weight)),
          );
          // Of a loss in other units, the inverse of their length may leave the range of float32.
          const largest = largestIn(slopes) || 1;
          const directions = slopes.map((each) => tf.div(each, largest));
          const length = lengthOf(directions);
          if (!Number.isFinite(length)) {
            throw new Error(
              'adaptiveSharpness: the gradient of the loss is not finite: take a loss with a slope everywhere, from logits, or a smaller rho.',
            );
          }
          return clipped(plus(moves, directions, stride / (length || 1)), rho);
        });
        tf.dispose(moves);
        moves = next;
        variables.forEach((weight, b) => {
          tf.tidy(() => weight.assign(tf.add(values[b], tf.mul(tf.abs(values[b]), moves[b]))));
        });
        most = Math.max(most, lossHere('adaptiveSharpness', loss) - before);
      }
      return most;
    } finally {
      tf.dispose(moves);
    }
  });
}

function plus(a: readonly tf.Tensor[], b: readonly tf.Tensor[], factor: number): tf.Tensor[] {
  return a.map((each, i) => tf.add(each, tf.mul(b[i], factor)));
}

function clipped(vectors: tf.Tensor[], length: number): tf.Tensor[] {
  const own = lengthOf(vectors);
  return own > length ? vectors.map((each) => tf.mul(each, length / own)) : vectors;
}
