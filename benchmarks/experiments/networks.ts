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
  const penalty = () => tf.regularizers.l2({ l2: decay / 2 });
  return { kernelRegularizer: penalty(), biasRegularizer: penalty() };
}

/** Always the same for a seed. @param decay weight decay. */
export function network(architecture: Architecture, decay: number, seed: number): tf.Sequential {
  const { conv2d, dense, flatten, maxPooling2d } = tf.layers;
  let layers = 0;
  const weighted = (inputs: number, activation: 'relu' | 'softmax') => ({
    activation,
    ...uniform(inputs, 100 * seed + 2 * layers++),
    ...decayed(decay),
  });
  const image = [28, 28, 1];
  return tf.sequential({
    layers:
      architecture === 'MLP'
        ? [
            flatten({ inputShape: image }),
            dense({ units: 512, ...weighted(784, 'relu') }),
            dense({ units: 128, ...weighted(512, 'relu') }),
            dense({ units: 512, ...weighted(128, 'relu') }),
            dense({ units: 10, ...weighted(512, 'softmax') }),
          ]
        : [
            conv2d({ filters: 6, kernelSize: 5, padding: 'same', inputShape: image, ...weighted(25, 'relu') }),
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
