import * as tf from '@tensorflow/tfjs';
import { goldenCases, goldenModel, setGoldenWeights } from '../test/measure/golden-network.js';

/** The three networks of the paper, and a larger one without convolutions. All take images [28, 28, 1]. */
export const networkNames = ['SmallMLP', 'SmallCNN', 'LeNet', 'MLP'] as const;

export type NetworkName = (typeof networkNames)[number];

/** A network with the same weights in every process, compiled for 10 classes. */
export async function network(name: NetworkName): Promise<tf.LayersModel> {
  const model = name === 'MLP' ? mlp() : await goldenModel(goldenCase(`paper-${name}`));
  model.compile({ optimizer: tf.train.sgd(0.01), loss: 'categoricalCrossentropy' });
  return model;
}

function goldenCase(name: string) {
  const found = goldenCases().find((golden) => golden.name === name);
  if (!found) {
    throw new Error(`There is no golden case '${name}'.`);
  }
  return found;
}

/** 784-512-128-512-10. */
function mlp(): tf.LayersModel {
  const { flatten, dense } = tf.layers;
  const model = tf.sequential({
    layers: [
      flatten({ inputShape: [28, 28, 1] }),
      dense({ units: 512, activation: 'relu' }),
      dense({ units: 128, activation: 'relu' }),
      dense({ units: 512, activation: 'relu' }),
      dense({ units: 10, activation: 'softmax' }),
    ],
  });
  setGoldenWeights(model, 1);
  return model;
}
