import * as tf from '@tensorflow/tfjs';
import type { TensorInputs } from '../../src/measure/inputs.js';
import { setGoldenWeights } from '../../test/measure/golden-network.js';

/** Random weights, the same for the same seed: kernels of He's size, small biases. */
export function setRandomWeights(model: tf.LayersModel, seed: number): void {
  // Every weight tensor takes a seed of its own, counted from here.
  setGoldenWeights(model, 7919 * seed);
}

export interface RareUnits {
  /** The layer whose units (channels) shall sleep on most samples, and their numbers. */
  readonly layer: string;
  readonly units: readonly number[];
  /** The share of samples on which one of them is to be awake: its output anywhere above `above` in size. Default: 0. */
  readonly share: number;
  readonly above?: number;
  /** Where the output that counts is another layer's, such as an activation's. */
  readonly seenIn?: string;
  /** Place of the bias of unit 0 in the bias vector: in an LSTM the gates follow each other. */
  readonly firstBias?: number;
}

/** Shifts the biases of units down until they are awake on so few samples. */
export function putToSleep(
  model: tf.LayersModel,
  inputs: TensorInputs,
  { layer, units, share, above = 0, seenIn = layer, firstBias = 0 }: RareUnits,
): void {
  const probe = tf.model({ inputs: model.inputs, outputs: model.getLayer(seenIn).output });
  for (const unit of units) {
    let [low, high] = [-1000, 1000];
    for (let i = 0; i < 40; i++) {
      const middle = (low + high) / 2;
      changeWeight(model, layer, /bias|beta/, (values) => {
        values[firstBias + unit] = middle;
      });
      if (awakeShare(probe, inputs, unit, above) > share) {
        high = middle;
      } else {
        low = middle;
      }
    }
  }
}

/** The share of samples on which a unit's output is above a bound in size, at any position. */
export function awakeShare(probe: tf.LayersModel, inputs: TensorInputs, unit: number, above = 0): number {
  return tf.tidy(() => {
    const output = probe.predict(inputs as tf.Tensor, { batchSize: 4096 }) as tf.Tensor;
    const ofUnit = tf
      .gather(output, [unit], output.rank - 1)
      .abs()
      .reshape([output.shape[0]!, -1]);
    return ofUnit.max(1).greater(above).toFloat().mean().dataSync()[0]!;
  });
}

/**
 * Multiplies what a layer makes of some of its input channels. Behind a `flatten`, channels come again and again.
 *
 * @param channels how many the layer that was flattened has; otherwise the layer's own number.
 */
export function amplify(
  model: tf.LayersModel,
  layer: string,
  units: readonly number[],
  gain: number,
  channels?: number,
): void {
  changeWeight(model, layer, /\/(depthwise_)?kernel$|gamma$/, (values, shape) => {
    const inputs = shape.length === 1 ? shape[0]! : shape.at(-2)!;
    const outputs = shape.length === 1 ? 1 : shape.at(-1)!;
    values.forEach((value, i) => {
      if (units.includes((Math.floor(i / outputs) % inputs) % (channels ?? inputs))) {
        values[i] = gain * value;
      }
    });
  });
}

/** Changes one weight tensor of a layer in place. */
export function changeWeight(
  model: tf.LayersModel,
  layer: string,
  name: RegExp,
  change: (values: Float32Array, shape: readonly number[]) => void,
): void {
  const weight = model.getLayer(layer).weights.find(({ originalName }) => name.test(originalName));
  if (!weight) {
    throw new Error(`The layer '${layer}' has no weight ${name}.`);
  }
  tf.tidy(() => {
    const old = weight.read();
    const values = Float32Array.from(old.dataSync());
    change(values, old.shape);
    weight.write(tf.tensor(values, old.shape));
  });
}

/** Standard normal numbers, the same for the same seed. */
export const normal = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);
