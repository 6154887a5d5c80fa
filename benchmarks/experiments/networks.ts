import * as tf from '@tensorflow/tfjs';

/** The two networks of the paper's experiment on shuffled labels, of images [28, 28, 1], with values from -1 to 1. */
export const architectures = ['MLP', 'LeNet'] as const;

export type Architecture = (typeof architectures)[number];

/** Weights and biases uniform within 1 / sqrt(inputs of a unit), as PyTorch draws them, which the paper used. */
function uniform(inputs: number, seed: number) {
  const bound = 1 / Math.sqrt(inputs);
  const within = (each: number) => tf.initializers.randomUniform({ minval: -bound, maxval: bound, seed: each });
  return { kernelInitializer: within(seed), biasInitializer: within(seed + 1) };
}

/** What L2 penalties `decay / 2 * |w|^2` add to the gradient is the weight decay of PyTorch's SGD, of biases too. */
function decayed(decay: number) {
  if (decay === 0) {
    return {};
  }
  const penalty = () => tf.regularizers.l2({ l2: decay / 2 });
  return { kernelRegularizer: penalty(), biasRegularizer: penalty() };
}

/** Always the same for a seed. @param decay weight decay. */
export function network(architecture: Architecture, decay: number, seed: number): tf.Sequential {
  return architecture === 'MLP' ? mlp(28, [512, 128, 512], decay, seed) : leNet(decay, seed);
}

/** What all layers with weights have: initial weights of their own, and weight decay. */
function weightedLayers(decay: number, seed: number) {
  let layers = 0;
  return (inputs: number, activation: 'relu' | 'softmax') => ({
    activation,
    ...uniform(inputs, 100 * seed + 2 * layers++),
    ...decayed(decay),
  });
}

/** Dense layers: always the same for a seed. @param side of the images, in pixels. @param hidden units of each hidden layer. */
export function mlp(side: number, hidden: readonly number[], decay: number, seed: number): tf.Sequential {
  const weighted = weightedLayers(decay, seed);
  const inputs = [side ** 2, ...hidden];
  return tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [side, side, 1] }),
      ...hidden.map((units, i) => tf.layers.dense({ units, ...weighted(inputs[i]!, 'relu') })),
      tf.layers.dense({ units: 10, ...weighted(inputs.at(-1)!, 'softmax') }),
    ],
  });
}

function leNet(decay: number, seed: number): tf.Sequential {
  const { conv2d, dense, flatten, maxPooling2d } = tf.layers;
  const weighted = weightedLayers(decay, seed);
  return tf.sequential({
    layers: [
      conv2d({ filters: 6, kernelSize: 5, padding: 'same', inputShape: [28, 28, 1], ...weighted(25, 'relu') }),
      maxPooling2d({ poolSize: 2, strides: 1 }),
      conv2d({ filters: 16, kernelSize: 5, ...weighted(6 * 25, 'relu') }),
      maxPooling2d({ poolSize: 2 }),
      conv2d({ filters: 120, kernelSize: 5, ...weighted(16 * 25, 'relu') }),
      flatten(),
      dense({ units: 84, ...weighted(120 * 7 * 7, 'relu') }),
      dense({ units: 10, ...weighted(84, 'softmax') }),
    ],
  });
}
