import * as tf from '@tensorflow/tfjs';
import type { Architecture, Subject } from './architecture.js';
import { randomClasses, randomNumbers } from './random-data.js';

interface Size {
  readonly side: number;
  /** Channels at each resolution, from the finest; each is half as fine as the one before. */
  readonly channels: readonly number[];
  readonly classes: number;
  /** How the coarse half is brought back to the finer resolution. */
  readonly upwards: 'transposed convolution' | 'upsampling';
}

/** U-Net (Ronneberger, Fischer, Brox, arXiv 1505.04597): a class for every pixel. */
export function uNetwork({ side, channels, classes, upwards }: Size): tf.LayersModel {
  let seed = 1;
  const kernel = () => tf.initializers.heNormal({ seed: seed++ });
  const convolution = (x: tf.SymbolicTensor, filters: number) => {
    const shared = { padding: 'same', activation: 'relu', kernelSize: 3 } as const;
    return tf.layers.conv2d({ ...shared, filters, kernelInitializer: kernel() }).apply(x) as tf.SymbolicTensor;
  };
  const double = (x: tf.SymbolicTensor, filters: number) => convolution(convolution(x, filters), filters);
  const upward = (x: tf.SymbolicTensor, filters: number) => {
    if (upwards === 'upsampling') {
      return convolution(tf.layers.upSampling2d({}).apply(x) as tf.SymbolicTensor, filters);
    }
    const shared = { filters, kernelSize: 2, strides: 2, padding: 'same' } as const;
    return tf.layers.conv2dTranspose({ ...shared, kernelInitializer: kernel() }).apply(x) as tf.SymbolicTensor;
  };
  const image = tf.input({ shape: [side, side, 1] });
  const skipped: tf.SymbolicTensor[] = [];
  let x = image;
  for (const filters of channels.slice(0, -1)) {
    x = double(x, filters);
    skipped.push(x);
    x = tf.layers.maxPooling2d({ poolSize: 2 }).apply(x) as tf.SymbolicTensor;
  }
  x = double(x, channels.at(-1)!);
  for (const [i, skip] of [...skipped.entries()].reverse()) {
    const filters = channels[i]!;
    const joined = tf.layers.concatenate().apply([skip, upward(x, filters)]) as tf.SymbolicTensor;
    x = double(joined, filters);
  }
  const head = { filters: classes, kernelSize: 1, activation: 'softmax', kernelInitializer: kernel() } as const;
  return tf.model({ inputs: image, outputs: tf.layers.conv2d(head).apply(x) as tf.SymbolicTensor });
}

function subject(size: Size): Subject {
  const model = uNetwork(size);
  model.compile({ optimizer: tf.train.adam(0.001), loss: 'categoricalCrossentropy' });
  const { side, classes } = size;
  return {
    model,
    inputs: (count, seed) => randomNumbers([count, side, side, 1], seed),
    labels: (count, seed) => randomClasses([count, side, side], classes, seed),
  };
}

const upwards = 'transposed convolution';

export const uNet: Architecture = {
  real: () => subject({ side: 64, channels: [16, 32, 64, 128], classes: 4, upwards }),
  small: () => subject({ side: 4, channels: [2, 3], classes: 3, upwards }),
  measurements: [
    { samples: 32, method: { pairs: 256 } },
    { samples: 32, method: { tolerance: 0.05 } },
  ],
};

/** A U-Net for images of 16 x 16, of which every pixel and class can be measured. */
export const smallUNet: Architecture = {
  real: () => subject({ side: 16, channels: [16, 32, 64], classes: 4, upwards: 'upsampling' }),
  small: () => subject({ side: 4, channels: [2, 3], classes: 2, upwards: 'upsampling' }),
  measurements: [{ samples: 4, method: 'exact' }],
};
