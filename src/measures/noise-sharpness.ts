import * as tf from '@tensorflow/tfjs-core';
import { checkKnownOptions, checkNumber, checkWhole } from '../checks.js';
import type { ParameterTrace } from '../measure/reading.js';
import { uniforms } from '../traces/sampling/uniform.js';
import {
  type LossOfWeights,
  lengthOf,
  lossHere,
  trainedVariablesIn,
  type Weights,
  withOtherWeights,
} from './other-weights.js';

export interface NoiseOptions {
  /** Standard deviation of the noise in a weight tensor, in units of the root mean square of its weights. Default 0.01. */
  readonly sigma?: number;
  /** How often noise is drawn; each is added once and subtracted once. Default 20. */
  readonly draws?: number;
  /** Of the noise: runs of two seeds have nothing in common. Default 0. */
  readonly seed?: number;
}

/** How much noise in the weights raises the loss. */
export interface NoiseSharpness {
  /** By how much the loss is higher, on average over the draws. */
  readonly rise: number;
  /** One standard error of `rise`, by its spread over the draws and the rounding of the loss, 2^-24 of it; infinite of one draw. */
  readonly standardError: number;
}

/** Of a loss in float32, relative to it. */
const ROUNDING = 2 ** -24;

const knownOptions = { sigma: true, draws: true, seed: true } satisfies Record<keyof NoiseOptions, true>;

/**
 * Noise in the weights: how much higher the loss is, on average, with Gaussian noise in every weight tensor W_b of n_b weights, in
 * proportion to their size:
 *
 *     E[ L(W + E) ] - L(W),   E_b ~ sigma ||W_b|| / sqrt(n_b) N(0, 1)
 *
 * (as the sharpness by PAC-Bayes of Neyshabur, Bhojanapalli, McAllester, Srebro, "Exploring generalization in deep learning", NeurIPS 2017, with a
 * noise of its own for every tensor). Each noise is added and subtracted, which takes the slope of the loss out. Rescaling layers, so that the function
 * stays the same, does not change it. Compare it with `noiseFromTrace`: kinks of ReLUs make the rise larger, 1.2 to 1.3 times in small
 * networks, several times in those that have fitted their labels. A rise below about 1e-7 of the loss is rounding: take a larger sigma.
 *
 * @param loss the mean loss, for example `() => tf.losses.softmaxCrossEntropy(labels, logits(x))`, in inference.
 * @throws Error with one line for wrong options, for weights that are no variables or are not trained, and for a loss that is not one
 *   finite number.
 */
export function noiseSharpness(loss: LossOfWeights, weights: Weights, options: NoiseOptions = {}): NoiseSharpness {
  checkKnownOptions('noiseSharpness', options, knownOptions);
  const variables = trainedVariablesIn('noiseSharpness', weights);
  const { sigma = 0.01, draws = 20, seed = 0 } = options;
  checkNumber('noiseSharpness: sigma', sigma, { above: 0 });
  checkWhole('noiseSharpness: draws', draws, { atLeast: 1 });
  checkWhole('noiseSharpness: seed', seed, { atLeast: 0 });
  // A seed of its own for each tensor and draw, so that no draws of another `seed` are the same, however many there are.
  const seedOf = uniforms(seed);
  const before = lossHere('noiseSharpness', loss);
  const rises = withOtherWeights(variables, (values) =>
    Array.from({ length: draws }, (_, draw) => {
      const noises = values.map((value, b) =>
        tf.tidy(() => {
          const size = (sigma * lengthOf([value])) / Math.sqrt(value.size);
          return tf.mul(size, tf.randomNormal(value.shape, 0, 1, 'float32', seedOf(b + variables.length * draw)));
        }),
      );
      try {
        const [plus, minus] = [1, -1].map((sign) => {
          variables.forEach((weight, b) => {
            tf.tidy(() => weight.assign(tf.add(values[b], tf.mul(sign, noises[b]))));
          });
          return lossHere('noiseSharpness', loss);
        });
        return (plus + minus) / 2 - before;
      } finally {
        tf.dispose(noises);
      }
    }),
  );
  const rise = rises.reduce((sum, each) => sum + each, 0) / draws;
  const squares = rises.reduce((sum, each) => sum + (each - rise) ** 2, 0);
  const spread = draws > 1 ? Math.sqrt(squares / (draws - 1) / draws) : Number.POSITIVE_INFINITY;
  return { rise, standardError: Math.hypot(spread, ROUNDING * before) };
}

/**
 * What `noiseSharpness` would be of a loss that is quadratic around the weights: sigma^2 / 2 sum_b T_b ||W_b||^2 / n_b, with the traces T_b of a
 * reading. Rescaling layers does not change it.
 *
 * @param traces `reading.parameters`, one for each weight tensor by the name of its variable.
 * @throws Error with one line for a sigma that is no number above 0, where a weight tensor has no trace, and where two have one name,
 *   as of a model inside of another.
 */
export function noiseFromTrace(
  traces: readonly Pick<ParameterTrace, 'name' | 'trace'>[],
  weights: readonly { readonly originalName: string; read(): tf.Tensor }[],
  sigma = 0.01,
): number {
  checkNumber('noiseFromTrace: sigma', sigma, { above: 0 });
  const variables = new Map(weights.map((weight) => [weight.read(), weight.originalName]));
  const names = [...variables.values()];
  return [...variables].reduce((sum, [variable, name]) => {
    const [found, ...others] = traces.filter((each) => each.name === name);
    if (found === undefined) {
      throw new Error(
        `noiseFromTrace: '${name}' has no trace in the reading: pass the weights that were measured, model.trainableWeights.`,
      );
    }
    if (others.length > 0 || names.indexOf(name) !== names.lastIndexOf(name)) {
      throw new Error(
        `noiseFromTrace: two weights are called '${name}', so that their traces cannot be told apart: give each layer a name of its own.`,
      );
    }
    return sum + (sigma ** 2 / 2) * found.trace * (lengthOf([variable]) ** 2 / variable.size);
  }, 0);
}
