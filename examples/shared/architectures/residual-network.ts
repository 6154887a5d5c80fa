import * as tf from '@tensorflow/tfjs';
import type { Architecture, Subject } from './architecture.js';
import { randomClasses, randomNumbers } from './random-data.js';

interface Size {
  readonly side: number;
  /** Channels of each stage, of two blocks; each stage after the first halves the image. */
  readonly channels: readonly number[];
  readonly classes: number;
}

/** ResNet for small images (He et al., arXiv 1512.03385): with four stages of two blocks it is ResNet-18. */
export function residualNetwork({ side, channels, classes }: Size): tf.LayersModel {
  let seed = 1;
  const convolution = (x: tf.SymbolicTensor, filters: number, kernelSize: number, strides: number) => {
    const kernelInitializer = tf.initializers.heNormal({ seed: seed++ });
    const layer = { filters, kernelSize, strides, padding: 'same', useBias: false, kernelInitializer } as const;
    return tf.layers.batchNormalization().apply(tf.layers.conv2d(layer).apply(x)) as tf.SymbolicTensor;
  };
  const relu = (x: tf.SymbolicTensor) => tf.layers.reLU().apply(x) as tf.SymbolicTensor;
  const block = (x: tf.SymbolicTensor, filters: number, strides: number) => {
    const residual = convolution(relu(convolution(x, filters, 3, strides)), filters, 3, 1);
    const isSame = strides === 1 && x.shape.at(-1) === filters;
    const shortcut = isSame ? x : convolution(x, filters, 1, strides);
    return relu(tf.layers.add().apply([shortcut, residual]) as tf.SymbolicTensor);
  };
  const image = tf.input({ shape: [side, side, 3] });
  let x = relu(convolution(image, channels[0]!, 3, 1));
  channels.forEach((filters, stage) => {
    x = block(block(x, filters, stage === 0 ? 1 : 2), filters, 1);
  });
  const pooled = tf.layers.globalAveragePooling2d({}).apply(x) as tf.SymbolicTensor;
  const kernelInitializer = tf.initializers.glorotUniform({ seed });
  const head = tf.layers.dense({ units: classes, activation: 'softmax', kernelInitializer });
  return tf.model({ inputs: image, outputs: head.apply(pooled) as tf.SymbolicTensor });
}

function subject(size: Size): Subject {
  const model = residualNetwork(size);
  model.compile({ optimizer: tf.train.momentum(0.001, 0.9), loss: 'categoricalCrossentropy' });
  return {
    model,
    inputs: (count, seed) => randomNumbers([count, size.side, size.side, 3], seed),
    labels: (count, seed) => randomClasses([count], size.classes, seed),
  };
}

export const resNet18: Architecture = {
  real: () => subject({ side: 32, channels: [64, 128, 256, 512], classes: 10 }),
  small: () => subject({ side: 8, channels: [3, 4], classes: 3 }),
  measurements: [
    { samples: 32, method: 'exact' },
    { samples: 128, method: { pairs: 128 } },
  ],
};
