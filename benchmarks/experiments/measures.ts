import * as tf from '@tensorflow/tfjs';
import { measureSharpness, type SharpnessReading } from 'tfjs-sharpness';
import { adaptiveSharpness, frobeniusNorm, normalizedSharpnessOf, pathNorm } from 'tfjs-sharpness/measures';
import { mean } from '../statistics.js';
import { evaluate, type Samples } from './training.js';

/** Named numbers of a network with its weights, on the images it was trained on. */
export type Measure = (model: tf.LayersModel, samples: Samples) => Promise<Readonly<Record<string, number>>>;

/** How many eigenvalues. */
const EIGENVALUES = 5;
/** Pairs that they come from. With 1,024 they are as good as the same, and take four times as long. */
const PAIRS = 512;

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
  const named = (name: string, of: typeof topEigenvalues.given) => of.map(({ value }, i) => [`${name}${i + 1}`, value]);
  return Object.fromEntries([
    ...named('eigenvalue', topEigenvalues.given),
    ...named('balancedEigenvalue', topEigenvalues.balanced),
  ]);
};

/** Standard deviations of the noise on every weight, at the rescaling of Minimum Sharpness: near by, and far. */
export const NOISE = { near: 0.001, far: 0.01 } as const;
/** Fewer go wrong together where a few directions hold most of the curvature. */
const DRAWS = 24;

/**
 * How much the mean loss rises when every weight gets normal noise, at the rescaling that attains Minimum Sharpness; rescaling the
 * layers does not move it. Each draw is taken with both signs, so that the slope of the loss cancels.
 *
 * `nearLossRise` and `farLossRise`, each over NOISE^2 / 2 * MS, what it would be if the loss were a parabola; and `farNoise`, the rise
 * itself at the larger noise.
 */
const noise: Measure = async (model, samples) => {
  const reading = await measureSharpness(model, samples.images, { labels: samples.labels });
  const factors = balancingFactors(model, reading);
  const before = model.getWeights().map((weight) => weight.clone());
  const { loss } = evaluate(model, samples);
  const lossAt = (deviation: number, draw: number) => {
    tf.tidy(() =>
      model.setWeights(
        before.map((weight, i) =>
          weight.add(
            tf.randomNormal(weight.shape, 0, 1, 'float32', 1 + draw * before.length + i).mul(deviation / factors[i]!),
          ),
        ),
      ),
    );
    return evaluate(model, samples).loss;
  };
  const riseUnder = (deviation: number) =>
    mean(Array.from({ length: DRAWS }, (_, draw) => (lossAt(deviation, draw) + lossAt(-deviation, draw)) / 2 - loss));
  const [near, far] = [riseUnder(NOISE.near), riseUnder(NOISE.far)];
  model.setWeights(before);
  tf.dispose(before);
  const ofParabola = (deviation: number) => (deviation ** 2 / 2) * reading.minimumSharpness;
  return { nearLossRise: near / ofParabola(NOISE.near), farLossRise: far / ofParabola(NOISE.far), farNoise: far };
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

/** The radius of ASAM's authors (Kwon and others, ICML 2021), who chose it for training; of relative changes of all weights together. */
const RADIUS = 0.5;
/** Of gradient ascent. */
const STEPS = 10;

/** The worst case in a ball of relative changes. The loss is taken from logits: from probabilities, tf.js clips it. */
const adaptive: Measure = async (model, { images, labels }) => {
  const logits = logitsOf(model);
  const loss = () => tf.losses.softmaxCrossEntropy(labels, logits(images)) as tf.Scalar;
  return { adaptive: adaptiveSharpness(loss, model.trainableWeights, { rho: RADIUS, steps: STEPS }) };
};

const normalized: Measure = async (model, { images, labels }) => ({
  normalized: (await normalizedSharpnessOf(model, images, { labels })).value,
});

const norms: Measure = async (model, { images }) => ({
  frobenius: frobeniusNorm(model.trainableWeights),
  path: pathNorm(logitsOf(model), model.trainableWeights, images.shape.slice(1)),
});

/** The network without its softmax. */
function logitsOf(model: tf.LayersModel): (images: tf.Tensor) => tf.Tensor {
  const last = model.layers.at(-1)!;
  const features = tf.model({ inputs: model.inputs, outputs: last.input as tf.SymbolicTensor });
  const [kernel, bias] = last.weights;
  return (images) => (features.apply(images) as tf.Tensor).matMul(kernel!.read()).add(bias!.read());
}

/** All that a second pass measures of a snapshot, by the name that stands in its line. */
export const measures: Readonly<Record<string, Measure>> = { eigenvalues, noise, adaptive, normalized, norms };
