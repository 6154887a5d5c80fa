import * as tf from '@tensorflow/tfjs';
import type { Architecture, Subject } from './architecture.js';
import { randomClasses, randomNumbers } from './random-data.js';

interface Block {
  readonly filters: number;
  readonly strides?: number;
  readonly dilation?: number;
}

interface Size {
  readonly side: number;
  readonly stem: number;
  readonly blocks: readonly Block[];
  readonly classes: number;
}

/** MobileNet (Howard et al., arXiv 1704.04861): depthwise convolutions, each followed by one of 1 x 1, with ReLU6. */
function mobileNetwork({ side, stem, blocks, classes }: Size): tf.LayersModel {
  let seed = 1;
  const kernel = () => tf.initializers.heNormal({ seed: seed++ });
  const normalized = (x: tf.SymbolicTensor, layer: tf.layers.Layer) => {
    const y = tf.layers.batchNormalization().apply(layer.apply(x)) as tf.SymbolicTensor;
    return tf.layers.reLU({ maxValue: 6 }).apply(y) as tf.SymbolicTensor;
  };
  const shared = { padding: 'same', useBias: false } as const;
  const pointwise = (filters: number) =>
    tf.layers.conv2d({ ...shared, filters, kernelSize: 1, kernelInitializer: kernel() });
  const depthwise = (strides: number) =>
    tf.layers.depthwiseConv2d({ ...shared, kernelSize: 3, strides, depthwiseInitializer: kernel() });
  /** tf.js' depthwiseConv2d knows no dilation; its separableConv2d does. */
  const dilated = (filters: number, dilationRate: number) => {
    const initializers = { depthwiseInitializer: kernel(), pointwiseInitializer: kernel() };
    return tf.layers.separableConv2d({ ...shared, ...initializers, filters, kernelSize: 3, dilationRate });
  };
  const image = tf.input({ shape: [side, side, 3] });
  const first = { ...shared, filters: stem, kernelSize: 3, strides: 2, kernelInitializer: kernel() };
  let x = normalized(image, tf.layers.conv2d(first));
  for (const { filters, strides = 1, dilation } of blocks) {
    x = dilation
      ? normalized(x, dilated(filters, dilation))
      : normalized(normalized(x, depthwise(strides)), pointwise(filters));
  }
  const pooled = tf.layers.globalAveragePooling2d({}).apply(x) as tf.SymbolicTensor;
  const head = tf.layers.dense({ units: classes, activation: 'softmax', kernelInitializer: kernel() });
  return tf.model({ inputs: image, outputs: head.apply(pooled) as tf.SymbolicTensor });
}

function subject(size: Size): Subject {
  const model = mobileNetwork(size);
  model.compile({ optimizer: tf.train.momentum(0.001, 0.9), loss: 'categoricalCrossentropy' });
  return {
    model,
    inputs: (count, seed) => randomNumbers([count, size.side, size.side, 3], seed),
    // tf.js has no gradient of a dilated depthwise convolution.
    ...(size.blocks.every(({ dilation }) => dilation === undefined) && {
      labels: (count: number, seed: number) => randomClasses([count], size.classes, seed),
    }),
  };
}

const early: Block[] = [
  { filters: 64 },
  { filters: 128, strides: 2 },
  { filters: 128 },
  { filters: 256, strides: 2 },
  { filters: 256 },
];
const middle = (block: Block) => Array<Block>(5).fill(block);

/** MobileNet of width 1, for images of 96 x 96. */
export const mobileNet: Architecture = {
  real: () =>
    subject({
      side: 96,
      stem: 32,
      blocks: [
        ...early,
        { filters: 512, strides: 2 },
        ...middle({ filters: 512 }),
        { filters: 1024, strides: 2 },
        { filters: 1024 },
      ],
      classes: 10,
    }),
  small: () => subject({ side: 8, stem: 3, blocks: [{ filters: 4, strides: 2 }, { filters: 5 }], classes: 3 }),
  measurements: [
    { samples: 32, method: 'exact' },
    { samples: 128, method: { pairs: 128 } },
  ],
};

/** The same with dilations in place of the last strides, as in networks that find things in images. */
export const dilatedMobileNet: Architecture = {
  real: () =>
    subject({
      side: 64,
      stem: 32,
      blocks: [
        ...early,
        ...middle({ filters: 512, dilation: 2 }),
        { filters: 1024, dilation: 4 },
        { filters: 1024, dilation: 4 },
      ],
      classes: 10,
    }),
  small: () =>
    subject({
      side: 12,
      stem: 3,
      blocks: [{ filters: 4 }, { filters: 5, dilation: 2 }, { filters: 4, dilation: 3 }],
      classes: 3,
    }),
  measurements: [{ samples: 16, method: 'exact' }],
};
