import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { mnistDigits } from '../examples/shared/mnist-images.js';
import { type NetworkName, network } from './networks.js';

const BATCH = 64;

/** All weights of a network, one after the other. */
export type Weights = Float32Array<ArrayBuffer>;

const folder = new URL('../.cache/bench-weights/', import.meta.url);
const placeOf = (name: NetworkName, samples: number, epoch: number) =>
  new URL(`${name}-${samples}-images-${epoch}-epochs.f32`, folder);

/** Whether the weights of a network after so many epochs are there, or need no training. */
export const isTrained = (name: NetworkName, samples: number, epoch: number) =>
  existsSync(placeOf(name, samples, epoch));

/**
 * The weights of a network after each of the given numbers of epochs with Adam on the first MNIST images, in the same order
 * every time, so that the same weights come out again. Trained once and kept in `.cache/bench-weights`.
 *
 * @param epochs rising.
 */
export async function trainedWeights(
  name: NetworkName,
  samples: number,
  epochs: readonly number[],
): Promise<Map<number, Weights>> {
  const place = (epoch: number) => placeOf(name, samples, epoch);
  if (!epochs.every((epoch) => isTrained(name, samples, epoch))) {
    mkdirSync(folder, { recursive: true });
    const model = await network(name);
    model.compile({ optimizer: tf.train.adam(0.001), loss: 'categoricalCrossentropy' });
    const { images, labels } = mnistDigits('train', samples);
    const inputs = images.reshape([samples, 28, 28, 1]);
    for (const [i, epoch] of epochs.entries()) {
      const more = epoch - (epochs[i - 1] ?? 0);
      if (more > 0) {
        await model.fit(inputs, labels, { epochs: more, batchSize: BATCH, shuffle: false, verbose: 0 });
      }
      writeFileSync(place(epoch), weightsOf(model));
    }
    model.optimizer.dispose();
    model.dispose();
    tf.dispose([images, labels, inputs]);
  }
  return new Map(epochs.map((epoch) => [epoch, floats(place(epoch))]));
}

export function weightsOf(model: tf.LayersModel): Weights {
  const all = model.getWeights().map((weight) => weight.dataSync() as Float32Array);
  const joined = new Float32Array(all.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const values of all) {
    joined.set(values, at);
    at += values.length;
  }
  return joined;
}

export function setWeights(model: tf.LayersModel, weights: Weights): void {
  let at = 0;
  tf.tidy(() =>
    model.setWeights(
      model.weights.map(({ shape }) => {
        const size = tf.util.sizeFromShape(shape as number[]);
        at += size;
        return tf.tensor(weights.slice(at - size, at), shape as number[], 'float32');
      }),
    ),
  );
}

/** A file of float32 numbers. */
export function floats(path: string | URL): Float32Array<ArrayBuffer> {
  return new Float32Array(Uint8Array.from(readFileSync(path)).buffer);
}
