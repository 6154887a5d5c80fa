import { expect, test } from 'vitest';
import { repair } from '../../src/files/keras-layers.js';

const repaired = (className: string, config: object, isKeras3 = true) => {
  const changed = { ...config };
  const given = repair({ className, config: changed, name: 'l', isKeras3, notes: [] });
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
