import * as tf from '@tensorflow/tfjs';
import { measureSharpness, type SharpnessReading } from 'tfjs-sharpness';
import { evaluate, type Samples } from './training.js';

/** Named numbers of a network with its weights, on the images it was trained on. */
export type Measure = (model: tf.LayersModel, samples: Samples) => Promise<Readonly<Record<string, number>>>;

/** How many eigenvalues. */
const EIGENVALUES = 5;
/** Pairs that they come from: as many as the option takes. */
const PAIRS = 1024;

/** The largest eigenvalues of the Gauss-Newton matrix, with the weights as they stand and at the rescaling of Minimum Sharpness. */
const eigenvalues: Measure = async (model, { images, labels }) => {
  const { topEigenvalues } = await measureSharpness(model, images, {
    labels,
    method: { pairs: PAIRS },
    eigenvalues: EIGENVALUES,
  });
  if (!topEigenvalues) {
    throw new Error('The reading has no eigenvalues.');
  }
  const named = (name: string, of: typeof topEigenvalues.given) =>
    of.flatMap(({ value, standardError }, i) => [
      [`${name}${i + 1}`, value],
      [`${name}${i + 1}Error`, standardError],
    ]);
  return Object.fromEntries([
    ...named('eigenvalue', topEigenvalues.given),
    ...named('balancedEigenvalue', topEigenvalues.balanced),
  ]);
};

/** Standard deviation of the noise on every weight, at the rescaling of Minimum Sharpness. */
export const NOISE = 0.01;
const DRAWS = 10;

/**
 * How much the mean loss rises when every weight gets normal noise, of the standard deviation {@link NOISE} at the rescaling that
 * attains Minimum Sharpness: what MS is the second order of. Rescaling the layers does not move it.
 *
 * `lossRise`, and `lossRiseOfMinimumSharpness`, which is NOISE^2 / 2 * MS: they part where the loss is no parabola at that distance.
 */
const noise: Measure = async (model, samples) => {
  const reading = await measureSharpness(model, samples.images, { labels: samples.labels });
  const factors = balancingFactors(model, reading);
  const before = model.getWeights().map((weight) => weight.clone());
  const { loss } = evaluate(model, samples);
  const losses: number[] = [];
  for (let draw = 0; draw < DRAWS; draw++) {
    tf.tidy(() =>
      model.setWeights(
        before.map((weight, i) => {
          const seed = 1 + draw * before.length + i;
          return weight.add(tf.randomNormal(weight.shape, 0, NOISE / factors[i]!, 'float32', seed));
        }),
      ),
    );
    losses.push(evaluate(model, samples).loss);
  }
  model.setWeights(before);
  tf.dispose(before);
  const rises = losses.map((each) => each - loss);
  const lossRise = rises.reduce((sum, rise) => sum + rise, 0) / DRAWS;
  const spread = rises.reduce((sum, rise) => sum + (rise - lossRise) ** 2, 0) / (DRAWS - 1);
  return {
    lossRise,
    lossRiseError: Math.sqrt(spread / DRAWS),
    lossRiseOfMinimumSharpness: (NOISE ** 2 / 2) * reading.minimumSharpness,
  };
};

/**
 * What the rescaling of Minimum Sharpness multiplies every weight tensor of a chain of layers by: a kernel by its layer's alpha, a bias
 * by the product of the alphas up to its layer.
 */
export function balancingFactors(model: tf.LayersModel, { scales, parameters, minimumSharpness }: SharpnessReading) {
  let product = 1;
  const factors = new Map<string, number>();
  for (const layer of model.layers.filter(({ trainableWeights }) => trainableWeights.length > 0)) {
    const alpha = scales.find((scale) => scale.layer === layer.name)?.alpha ?? 1;
    product *= alpha;
    const [kernel, bias] = layer.trainableWeights.map(({ originalName }) => originalName) as [string, string];
    factors.set(kernel, alpha).set(bias, product);
  }
  const balanced = parameters.reduce((sum, { name, trace }) => sum + trace / factors.get(name)! ** 2, 0);
  if (!(Math.abs(balanced / minimumSharpness - 1) < 1e-3)) {
    throw new Error(
      `The trace at the balanced scales is ${balanced}, not Minimum Sharpness, which is ${minimumSharpness}.`,
    );
  }
  return model.weights.map(({ originalName }) => factors.get(originalName)!);
}

/** All that a second pass measures of a snapshot, by the name that stands in its line. */
export const measures: Readonly<Record<string, Measure>> = { eigenvalues, noise };
