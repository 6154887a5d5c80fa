import { expect, test } from 'vitest';
import { repair } from '../../src/files/keras-layers.js';

const repaired = (className: string, config: object, isKeras3 = true, inputShape?: (number | null)[]) => {
  const changed = { ...config };
  const given = repair({ className, config: changed, name: 'l', isKeras3, inputShape, notes: [] });
  return { className: given ?? className, config: changed };
};

test('names of activations in every layer, known or not', () => {
  for (const className of ['Dense', 'LSTMCell', 'ConvLSTM2D', 'constructor']) {
    const given = { activation: 'silu', recurrent_activation: 'hard_sigmoid' };
    const config = { activation: 'swish', recurrent_activation: 'hardSigmoidOfKeras3' };
    expect(repaired(className, given)).toEqual({ className, config });
    expect(repaired(className, given, false).config).toEqual({ ...config, recurrent_activation: 'hard_sigmoid' });
  }
});

test('leaky_relu is a layer that works as an activation', () => {
  const activation = { class_name: 'LeakyReLU', config: { alpha: 0.2 } };
  expect(repaired('Dense', { activation: 'leaky_relu' }).config).toEqual({ activation });
  expect(repaired('Activation', { activation: 'leaky_relu' })).toMatchObject({
    className: 'LeakyReLU',
    config: { alpha: 0.2 },
  });
  expect(repaired('Dense', { activation: 'leaky_relu' }, false).config).toEqual({ activation: 'leaky_relu' });
});

const grouped = {
  filters: 6,
  groups: 3,
  kernel_size: [3, 3],
  strides: [2, 2],
  dilation_rate: [1, 1],
  data_format: 'channels_last',
  kernel_initializer: { class_name: 'Zeros', config: {} },
  kernel_regularizer: null,
  kernel_constraint: null,
  bias_regularizer: null,
};

test('a convolution of as many groups as channels is a depthwise one', () => {
  expect(repaired('Conv2D', grouped, true, [null, 8, 8, 3])).toEqual({
    className: 'DepthwiseConv2D',
    config: {
      depth_multiplier: 2,
      kernel_size: [3, 3],
      strides: [2, 2],
      dilation_rate: [1, 1],
      data_format: 'channels_last',
      depthwise_initializer: { class_name: 'Zeros', config: {} },
      depthwise_regularizer: null,
      depthwise_constraint: null,
      bias_regularizer: null,
    },
  });
});

test.each<[what: string, className: string, config: object, inputShape?: (number | null)[]]>([
  ['fewer groups than channels', 'Conv2D', {}, [null, 8, 8, 6]],
  ['channels that the file does not say', 'Conv2D', {}],
  ['other strides down than across, which the native backend has not', 'Conv2D', { strides: [1, 2] }, [null, 8, 8, 3]],
  ['dilation', 'Conv2D', { dilation_rate: [2, 2] }, [null, 8, 8, 3]],
  ['channels first', 'Conv2D', { data_format: 'channels_first' }, [null, 3, 8, 3]],
  [
    'weights to be drawn by the size of its kernel',
    'Conv2D',
    { kernel_initializer: { class_name: 'HeNormal' } },
    [null, 8, 8, 3],
  ],
  ['one axis', 'Conv1D', { kernel_size: [3] }, [null, 8, 3]],
])('of groups with %s nothing is made', (_what, className, config, inputShape) => {
  expect(() => repaired(className, { ...grouped, ...config }, true, inputShape)).toThrow(
    /^layer 'l' has groups: 3, which tf\.js passes over: build the model with a DepthwiseConv2D, or with a convolution for each group\.$/,
  );
});

test('shapes that tf.js leaves open or refuses, where the file knows them', () => {
  expect(repaired('Flatten', {}, true, [null, 4])).toMatchObject({
    className: 'Activation',
    config: { activation: 'linear' },
  });
  expect(repaired('Flatten', {}, true, [null, 4, 2])).toEqual({ className: 'Flatten', config: {} });
  expect(repaired('Flatten', {})).toEqual({ className: 'Flatten', config: {} });
  const target = (target_shape: number[], inputShape?: (number | null)[]) =>
    repaired('Reshape', { target_shape }, true, inputShape).config;
  expect(target([-1, 3], [null, 4, 6])).toEqual({ target_shape: [8, 3] });
  expect(target([2, -1], [7, 6])).toEqual({ target_shape: [2, 3] });
  expect(target([-1], [null, 2, 5])).toEqual({ target_shape: [10] });
  expect(target([-1, 3], [null, null, 6])).toEqual({ target_shape: [-1, 3] });
  expect(target([-1, 3])).toEqual({ target_shape: [-1, 3] });
  expect(target([3, 8], [null, 4, 6])).toEqual({ target_shape: [3, 8] });
});

test.each(['GRU', 'GRUCell'])('%s that tf.js does not have says how to build the model', (className) => {
  expect(() => repaired(className, { reset_after: true })).toThrow(
    "layer 'l' has reset_after: true, which tf.js does not have: build the model with reset_after=False, and train it so.",
  );
  expect(repaired(className, { reset_after: false })).toMatchObject({ className });
});

test('global pooling that keeps its axes is a layer of its own', () => {
  for (const className of [
    'GlobalAveragePooling1D',
    'GlobalAveragePooling2D',
    'GlobalMaxPooling1D',
    'GlobalMaxPooling2D',
  ]) {
    expect(repaired(className, { keepdims: true })).toMatchObject({ className: `${className}KeepingAxes` });
    expect(repaired(className, { keepdims: false })).toMatchObject({ className });
  }
  expect(repaired('GlobalMaxPooling3D', { keepdims: true })).toMatchObject({ className: 'GlobalMaxPooling3D' });
});

test.each<[className: string, config: object, what: RegExp]>([
  ['Conv2DTranspose', { output_padding: [0, 0], strides: [2, 2] }, /an output_padding/],
  ['Conv3DTranspose', { dilation_rate: [2, 2, 2] }, /dilation_rate: 2,2,2/],
  ['DepthwiseConv2D', { dilation_rate: [2, 2] }, /dilation_rate: 2,2/],
  ['LSTM', { time_major: true }, /time_major: true/],
  ['MaxPooling1D', { data_format: 'channels_first' }, /data_format 'channels_first'/],
  ['GlobalAveragePooling1D', { data_format: 'channels_first' }, /data_format 'channels_first'/],
  ['GlobalMaxPooling3D', { data_format: 'channels_first', keepdims: false }, /data_format 'channels_first'/],
  [
    'Bidirectional',
    {
      layer: { class_name: 'LSTM', config: { name: 'a', units: 3, activation: 'tanh' } },
      backward_layer: { class_name: 'LSTM', config: { name: 'b', units: 3, activation: 'relu', go_backwards: true } },
    },
    /a backward_layer of its own/,
  ],
])('%s of %j is refused', (className, config, what) => {
  expect(() => repaired(className, config)).toThrow(what);
  expect(() => repaired(className, config)).toThrow(/^layer 'l' has [^\n]*, which tf\.js passes over/);
});

test.each<[className: string, config: object, isKeras3: boolean]>([
  ['Conv2DTranspose', { output_padding: null, dilation_rate: [1, 1] }, true],
  ['MaxPooling1D', { data_format: 'channels_last' }, true],
  ['LSTM', { time_major: false, recurrent_activation: 'hard_sigmoid' }, false],
  ['GroupNormalization', { groups: 32 }, true],
  [
    'Bidirectional',
    {
      layer: { class_name: 'GRU', config: { name: 'a', units: 3, bias_initializer: {}, seed: 1 } },
      backward_layer: { class_name: 'GRU', config: { name: 'b', go_backwards: true, units: 3, seed: 2 } },
    },
    true,
  ],
])('%s of %j stays', (className, config, isKeras3) => {
  expect(repaired(className, config, isKeras3)).toEqual({ className, config });
});
