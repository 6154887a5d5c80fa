import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { lcg } from '../measure/golden-network.js';

/** A layer as Keras 2 writes it: its class, its settings, and the layers that it reads (default: the one before). */
type KerasLayer = readonly [className: string, config: Record<string, unknown>, inputs?: readonly string[]];

/** A functional model in the format of Keras 2, from layers in their order; those without a name are named by their number. */
function topology(stack: readonly KerasLayer[]): object {
  const names = stack.map(([, { name }], i) => String(name ?? `layer_${i}`));
  const layers = stack.map(([class_name, config, inputs], i) => ({
    class_name,
    name: names[i],
    config: { trainable: true, dtype: 'float32', ...config, name: names[i] },
    inbound_nodes: i === 0 ? [] : [(inputs ?? [names[i - 1]!]).map((name) => [name, 0, 0, {}])],
  }));
  return {
    keras_version: '2.15.0',
    backend: 'tensorflow',
    model_config: {
      class_name: 'Functional',
      config: { name: 'model', layers, input_layers: [[names[0], 0, 0]], output_layers: [[names.at(-1), 0, 0]] },
    },
  };
}

const input = (shape: readonly (number | null)[], dtype = 'float32'): KerasLayer => [
  'InputLayer',
  { batch_input_shape: [null, ...shape], dtype, sparse: false, ragged: false, name: 'input_1' },
];

const shared = {
  data_format: 'channels_last',
  dilation_rate: [1, 1],
  groups: 1,
  activation: 'linear',
  use_bias: false,
};

const conv = (filters: number, size: readonly [number, number], more: object = {}): Record<string, unknown> => ({
  ...shared,
  filters,
  kernel_size: size,
  strides: [1, 1],
  padding: 'same',
  ...more,
});

const norm = (more: object = {}): KerasLayer => [
  'BatchNormalization',
  { axis: [3], momentum: 0.99, epsilon: 0.001, center: true, scale: true, ...more },
];
const relu = (more: object = {}, inputs?: readonly string[]): KerasLayer => [
  'Activation',
  { activation: 'relu', ...more },
  inputs,
];
const globalAverage: KerasLayer = ['GlobalAveragePooling2D', { data_format: 'channels_last', keepdims: false }];
const head: KerasLayer = ['Dense', { units: 3, activation: 'linear', use_bias: true }];

/** A fire module of SqueezeNet. */
function fire(name: string, squeeze: number, expand: number): KerasLayer[] {
  const biased = { activation: 'relu', use_bias: true };
  return [
    ['Conv2D', conv(squeeze, [1, 1], { ...biased, padding: 'valid', name: `${name}/squeeze` })],
    ['Conv2D', conv(expand, [1, 1], { ...biased, padding: 'valid', name: `${name}/1` }), [`${name}/squeeze`]],
    ['Conv2D', conv(expand, [3, 3], { ...biased, name: `${name}/3` }), [`${name}/squeeze`]],
    ['Concatenate', { axis: 3 }, [`${name}/1`, `${name}/3`]],
  ];
}

/** Two layers of a dense block and its transition, as in DenseNet. */
const denseNet: KerasLayer[] = [
  input([8, 8, 2]),
  [
    'ZeroPadding2D',
    {
      padding: [
        [1, 1],
        [1, 1],
      ],
      data_format: 'channels_last',
    },
  ],
  ['Conv2D', conv(4, [3, 3], { strides: [2, 2], padding: 'valid', name: 'stem' })],
  ...[1, 2].flatMap((i): KerasLayer[] => [
    [...norm({ epsilon: 1.001e-5 }), [i === 1 ? 'stem' : 'joined_1']] as unknown as KerasLayer,
    relu(),
    ['Conv2D', conv(4, [1, 1])],
    norm({ epsilon: 1.001e-5 }),
    relu(),
    ['Conv2D', conv(2, [3, 3], { name: `new_${i}` })],
    ['Concatenate', { axis: 3, name: `joined_${i}` }, [i === 1 ? 'stem' : 'joined_1', `new_${i}`]],
  ]),
  norm(),
  relu(),
  ['Conv2D', conv(4, [1, 1])],
  ['AveragePooling2D', { pool_size: [2, 2], strides: [2, 2], padding: 'valid', data_format: 'channels_last' }],
  globalAverage,
  head,
];

/** An MBConv block with squeeze and excitation, as in EfficientNet. */
const efficientNet: KerasLayer[] = [
  input([7, 7, 3]),
  ['Rescaling', { scale: 0.5, offset: 0 }],
  [
    'ZeroPadding2D',
    {
      padding: [
        [0, 1],
        [0, 1],
      ],
      data_format: 'channels_last',
    },
  ],
  ['Conv2D', conv(4, [3, 3], { strides: [2, 2], padding: 'valid' })],
  norm(),
  ['Activation', { activation: 'swish', name: 'stem' }],
  ['Conv2D', conv(6, [1, 1])],
  norm(),
  ['Activation', { activation: 'swish' }],
  ['DepthwiseConv2D', { ...shared, kernel_size: [3, 3], strides: [1, 1], padding: 'same', depth_multiplier: 1 }],
  norm(),
  ['Activation', { activation: 'swish', name: 'expanded' }],
  globalAverage,
  ['Reshape', { target_shape: [1, 1, 6] }],
  ['Conv2D', conv(2, [1, 1], { activation: 'swish', use_bias: true })],
  ['Conv2D', conv(6, [1, 1], { activation: 'sigmoid', use_bias: true, name: 'gate' })],
  ['Multiply', {}, ['expanded', 'gate']],
  ['Conv2D', conv(4, [1, 1])],
  norm(),
  ['Dropout', { rate: 0.2, noise_shape: [null, 1, 1, 1], seed: null, name: 'dropped' }],
  ['Add', {}, ['dropped', 'stem']],
  globalAverage,
  head,
];

/** Convolutions of several widths over words, and the maximum of each (Kim, "Convolutional Neural Networks for Sentence Classification"). */
const textCnn: KerasLayer[] = [
  input([9], 'int32'),
  ['Embedding', { input_dim: 20, output_dim: 4, mask_zero: false, input_length: 9, name: 'words' }],
  ...[2, 3].flatMap((width): KerasLayer[] => [
    [
      'Conv1D',
      {
        filters: 3,
        kernel_size: [width],
        strides: [1],
        padding: 'valid',
        data_format: 'channels_last',
        dilation_rate: [1],
        groups: 1,
        activation: 'relu',
        use_bias: true,
      },
      ['words'],
    ],
    ['GlobalMaxPooling1D', { data_format: 'channels_last', keepdims: false, name: `width_${width}` }],
  ]),
  ['Concatenate', { axis: -1 }, ['width_2', 'width_3']],
  ['Dropout', { rate: 0.5, noise_shape: null, seed: null }],
  head,
];

const inside = (class_name: string, config: object, name: string) => ({
  class_name,
  config: { trainable: true, dtype: 'float32', ...config, name },
});

/** Convolutions of every frame, and then a bidirectional GRU. */
const crnn: KerasLayer[] = [
  input([3, 6, 6, 1]),
  ['TimeDistributed', { layer: inside('Conv2D', conv(2, [3, 3], { activation: 'relu', use_bias: true }), 'frames') }],
  // Batch normalization counts the axes of one frame.
  ['TimeDistributed', { layer: inside('BatchNormalization', norm()[1], 'norms') }],
  [
    'TimeDistributed',
    { layer: inside('MaxPooling2D', { pool_size: [2, 2], strides: [2, 2], padding: 'valid' }, 'pools') },
  ],
  ['TimeDistributed', { layer: inside('Flatten', { data_format: 'channels_last' }, 'rows') }],
  [
    'Bidirectional',
    {
      merge_mode: 'concat',
      layer: inside(
        'GRU',
        {
          units: 3,
          activation: 'tanh',
          recurrent_activation: 'sigmoid',
          use_bias: true,
          return_sequences: false,
          return_state: false,
          go_backwards: false,
          stateful: false,
          unroll: false,
          reset_after: false,
          implementation: 2,
          recurrent_initializer: { class_name: 'GlorotUniform', config: { seed: null } },
        },
        'gru',
      ),
    },
  ],
  head,
];

const separable = (filters: number): KerasLayer => [
  'SeparableConv2D',
  { ...conv(filters, [3, 3]), depth_multiplier: 1 },
];

/** A block of Xception: two separable convolutions beside one of 1 x 1 with stride. */
const xception: KerasLayer[] = [
  input([8, 8, 3]),
  ['Conv2D', conv(4, [3, 3], { padding: 'valid' })],
  norm(),
  relu({ name: 'entry' }),
  ['Conv2D', conv(5, [1, 1], { strides: [2, 2] }), ['entry']],
  norm({ name: 'shortcut' }),
  [...separable(5), ['entry']] as unknown as KerasLayer,
  norm(),
  relu(),
  separable(5),
  norm(),
  ['MaxPooling2D', { pool_size: [3, 3], strides: [2, 2], padding: 'same', data_format: 'channels_last', name: 'main' }],
  ['Add', {}, ['main', 'shortcut']],
  globalAverage,
  head,
];

/** Long narrow kernels beside each other, as in Inception v3. */
const inception: KerasLayer[] = [
  input([6, 6, 2]),
  ['Conv2D', conv(3, [1, 1])],
  norm(),
  relu({ name: 'entry' }),
  ['Conv2D', conv(3, [1, 5]), ['entry']],
  norm(),
  relu(),
  ['Conv2D', conv(3, [5, 1])],
  norm(),
  relu({ name: 'long' }),
  ['Conv2D', conv(2, [1, 1]), ['entry']],
  norm(),
  relu({ name: 'short' }),
  ['Concatenate', { axis: 3 }, ['long', 'short']],
  globalAverage,
  head,
];

/** Two steps down and up, with a skip that is cropped, and LeakyReLU as the activation of a convolution. */
const uNet: KerasLayer[] = [
  input([8, 8, 1]),
  [
    'Conv2D',
    conv(3, [3, 3], {
      padding: 'valid',
      use_bias: true,
      activation: { class_name: 'LeakyReLU', config: { name: 'leaky', alpha: 0.1 } },
      name: 'down',
    }),
  ],
  ['MaxPooling2D', { pool_size: [2, 2], strides: [2, 2], padding: 'valid', data_format: 'channels_last' }],
  ['Conv2D', conv(4, [3, 3], { use_bias: true, activation: 'relu' })],
  ['Conv2DTranspose', { ...conv(3, [2, 2], { strides: [2, 2], use_bias: true }), output_padding: null, name: 'up' }],
  norm({ name: 'up_norm' }),
  [
    'Cropping2D',
    {
      cropping: [
        [1, 1],
        [1, 1],
      ],
      data_format: 'channels_last',
      name: 'up_crop',
    },
  ],
  [
    'Cropping2D',
    {
      cropping: [
        [1, 1],
        [1, 1],
      ],
      data_format: 'channels_last',
      name: 'down_crop',
    },
    ['down'],
  ],
  ['Concatenate', { axis: -1 }, ['up_crop', 'down_crop']],
  ['Conv2D', conv(2, [1, 1], { use_bias: true })],
  ['UpSampling2D', { size: [2, 2], data_format: 'channels_last', interpolation: 'nearest' }],
  globalAverage,
  head,
];

/** Small networks of well-known kinds, in the format and with the settings in which Keras 2 writes them. */
export const kerasArchitectures: Readonly<Record<string, readonly KerasLayer[]>> = {
  SqueezeNet: [
    input([7, 7, 2]),
    ['Conv2D', conv(3, [3, 3], { strides: [2, 2], padding: 'valid', activation: 'relu', use_bias: true })],
    ...fire('fire2', 2, 3),
    ...fire('fire3', 2, 2),
    globalAverage,
    head,
  ],
  DenseNet: denseNet,
  EfficientNet: efficientNet,
  TextCNN: textCnn,
  CRNN: crnn,
  Xception: xception,
  Inception: inception,
  'U-Net': uNet,
};

/** The model, with weights away from what they start with, and inputs of two samples. */
export async function kerasArchitecture(name: string): Promise<{ model: tfl.LayersModel; inputs: tf.Tensor }> {
  const model = await tfl.models.modelFromJSON({
    modelTopology: topology(kerasArchitectures[name]!),
  } as unknown as Parameters<typeof tfl.models.modelFromJSON>[0]);
  const size = (shape: readonly (number | null)[]) => shape.reduce<number>((product, n) => product * (n as number), 1);
  tf.tidy(() =>
    model.setWeights(
      model.weights.map(({ originalName, shape }, i) => {
        const spread = 1.5 * Math.sqrt(3 / Math.max(2, size(shape.slice(0, -1))));
        const value = /variance|gamma/.test(originalName)
          ? (u: number) => 0.5 + u
          : (u: number) => (u - 0.5) * (shape.length > 1 ? 2 * spread : 0.8);
        return tf.tensor(Float32Array.from(lcg(50 + i, size(shape)), value), shape as number[]);
      }),
    ),
  );
  const shape = [2, ...(model.inputs[0]!.shape.slice(1) as number[])];
  const whole = model.inputs[0]!.dtype === 'int32';
  const values = lcg(7, size(shape)).map((u) => (whole ? Math.floor(20 * u) : 2 * u - 1));
  return { model, inputs: tf.tensor(values, shape, whole ? 'int32' : 'float32') };
}
