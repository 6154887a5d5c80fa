import * as tf from '@tensorflow/tfjs-core';
import { checkKnownOptions, checkNumber, checkWhole } from '../checks.js';
import type { ParameterTrace } from '../measure/reading.js';
import { type LossOfWeights, lossHere, variablesIn, type Weights, withOtherWeights } from './other-weights.js';

export interface NoiseOptions {
  /** Standard deviation of the noise in a weight tensor, in units of the root mean square of its weights. Default 0.01. */
  readonly sigma?: number;
  /** How often noise is drawn; each is added once and subtracted once. Default 20. */
  readonly draws?: number;
  /** Of the noise. Default 0. */
  readonly seed?: number;
}

/** How much noise in the weights raises the loss. */
export interface NoiseSharpness {
  /** By how much the loss is higher, on average over the draws. */
  readonly rise: number;
  /** One standard error of `rise`, by its spread over the draws; infinite of one draw. */
  readonly standardError: number;
}

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
 * networks, several times in those that have fitted their labels.
 *
 * @param loss the mean loss, for example `() => tf.losses.softmaxCrossEntropy(labels, logits(x))`, in inference.
 * @throws Error with one line for wrong options, for weights that are no variables, and for a loss that is not one finite number.
 */
export function noiseSharpness(loss: LossOfWeights, weights: Weights, options: NoiseOptions = {}): NoiseSharpness {
  checkKnownOptions('noiseSharpness', options, knownOptions);
  const variables = variablesIn('noiseSharpness', weights);
  const { sigma = 0.01, draws = 20, seed = 0 } = options;
  checkNumber('noiseSharpness: sigma', sigma, { above: 0 });
  checkWhole('noiseSharpness: draws', draws, { atLeast: 1 });
  checkWhole('noiseSharpness: seed', seed, { atLeast: 0 });
  const before = lossHere('noiseSharpness', loss);
  const rises = withOtherWeights(variables, (values) =>
    Array.from({ length: draws }, (_, draw) => {
      const noises = values.map((value, b) =>
        tf.tidy(() => {
          const size = tf.mul(sigma, tf.sqrt(tf.mean(tf.square(value))));
          // Seeds of the generator that are near each other give numbers that are not.
          return tf.mul(
            size,
            tf.randomNormal(value.shape, 0, 1, 'float32', 1 + b + variables.length * (draw + draws * seed)),
          );
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
  return { rise, standardError: draws > 1 ? Math.sqrt(squares / (draws - 1) / draws) : Number.POSITIVE_INFINITY };
}

/**
 * What `noiseSharpness` would be of a loss that is quadratic around the weights: sigma^2 / 2 sum_b T_b ||W_b||^2 / n_b, with the traces T_b of a
 * reading. Rescaling layers does not change it.
 *
 * @param traces `reading.parameters`, one for each weight tensor by the name of its variable.
 * @throws Error with one line for a sigma that is no number above 0, and where a weight tensor has no trace.
 */
export function noiseFromTrace(
  traces: readonly Pick<ParameterTrace, 'name' | 'trace'>[],
  weights: readonly { readonly originalName: string; read(): tf.Tensor }[],
  sigma = 0.01,
): number {
  checkNumber('noiseFromTrace: sigma', sigma, { above: 0 });
  const traceOf = new Map(traces.map(({ name, trace }) => [name, trace]));
  return weights.reduce((sum, weight) => {
    const trace = traceOf.get(weight.originalName);
    if (trace === undefined) {
      throw new Error(
        `noiseFromTrace: '${weight.originalName}' has no trace in the reading: pass the weights that were measured, model.trainableWeights.`,
      );
    }
    const meanSquare = tf.tidy(() => tf.mean(tf.square(weight.read())).dataSync()[0]);
    return sum + (sigma ** 2 / 2) * trace * meanSquare;
  }, 0);
}
