import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { readTopology } from '../../src/files/keras-topology.js';
import { disposeModel, loadModelFile } from '../../src/files/model-file.js';

const keras3 = (class_name: string, config: object = {}, more: object = {}) => ({
  module: 'keras.layers',
  class_name,
  config: { name: 'l', ...config },
  registered_name: null,
  ...more,
});
const keras2 = (class_name: string, config: object = {}) => ({ class_name, config: { name: 'l', ...config } });

function read(...layers: object[]) {
  const topology = { class_name: 'Sequential', config: { name: 's', layers } };
  const before = JSON.stringify(topology);
  const { model, notes } = readTopology(topology, true);
  expect(JSON.stringify(topology)).toBe(before);
  return { layers: (model.config as { layers: Record<string, unknown>[] }).layers, notes };
}
const one = (layer: object) => read(layer).layers[0]! as { class_name: string; config: Record<string, unknown> };

test('inputs, types and initializers of Keras 3 in the words of tf.js', () => {
  const policy = (name: string) => ({
    module: 'keras',
    class_name: 'DTypePolicy',
    config: { name },
    registered_name: null,
  });
  expect(one(keras3('InputLayer', { batch_shape: [null, 2], dtype: 'float32' })).config).toEqual({
    name: 'l',
    batch_input_shape: [null, 2],
    dtype: 'float32',
  });
  expect(one(keras3('Dense', { dtype: policy('mixed_float16') })).config.dtype).toBe('float32');
  expect(one(keras3('Dense', { dtype: policy('int32') })).config.dtype).toBe('int32');
  const orthogonal = { class_name: 'OrthogonalInitializer', config: { gain: 1 } };
  expect(one(keras3('LSTM', { recurrent_initializer: orthogonal })).config.recurrent_initializer).toMatchObject({
    class_name: 'Orthogonal',
  });
  const { model } = readTopology(
    {
      class_name: 'Sequential',
      config: { layers: [keras3('Dense', { kernel_initializer: { class_name: 'Mine', config: {} } })] },
    },
    false,
  );
  expect(JSON.stringify(model)).toContain('"kernel_initializer":{"class_name":"Zeros","config":{}}');
  expect(
    one(keras3('Dense', { kernel_regularizer: { class_name: 'L2', config: { l2: 0.1 } } })).config.kernel_regularizer,
  ).toEqual({
    class_name: 'L1L2',
    config: { l1: 0, l2: 0.1 },
  });
});

test('layers that tf.js knows under another name, or by other numbers', () => {
  expect(one(keras3('LeakyReLU', { negative_slope: 0.1 })).config.alpha).toBe(0.1);
  expect(one(keras3('ReLU', { negative_slope: 0.1, max_value: null, threshold: 0 }))).toMatchObject({
    class_name: 'LeakyReLU',
    config: { alpha: 0.1 },
  });
  expect(one(keras2('ReLU', { negative_slope: 0, max_value: null, threshold: 0.5 }))).toMatchObject({
    class_name: 'ThresholdedReLU',
    config: { theta: 0.5 },
  });
  expect(one(keras3('ReLU', { negative_slope: 0, max_value: 6, threshold: 0 })).class_name).toBe('ReLU');
  expect(one(keras3('Dense', { activation: 'silu' })).config.activation).toBe('swish');
  expect(one(keras3('Activation', { activation: 'leaky_relu' }))).toMatchObject({
    class_name: 'LeakyReLU',
    config: { alpha: 0.2 },
  });
  expect(one(keras3('Dense', { activation: { class_name: 'function', config: 'relu' } })).config.activation).toBe(
    'relu',
  );
  // tf.js has an initializer of this name.
  expect(one(keras3('Identity'))).toMatchObject({ class_name: 'Activation', config: { activation: 'linear' } });
  expect(one(keras3('SeparableConv2D', { kernel_initializer: {}, depth_multiplier: 1 })).config).toEqual({
    name: 'l',
    depth_multiplier: 1,
  });
});

test('what is computed otherwise is told', () => {
  expect(read(keras3('UpSampling2D', { interpolation: 'bilinear' })).notes).toEqual([
    expect.stringMatching(/^Layer 'l' is an UpSampling2D with bilinear/),
  ]);
  expect(read(keras3('UpSampling2D', { interpolation: 'nearest' })).notes).toEqual([]);
});

test.each<[layer: object, what: string]>([
  [keras2('GlobalAveragePooling1D', { keepdims: true, data_format: 'channels_first' }), "data_format 'channels_first'"],
  [keras3('BatchNormalization', { renorm: true }), 'renorm'],
  [keras3('ReLU', { negative_slope: 0.1, max_value: 6 }), 'a negative_slope beside'],
  [keras3('ReLU', { negative_slope: 0, threshold: 1, max_value: 6 }), 'a threshold beside'],
])('%j is refused', (layer, what) => {
  expect(() => read(layer)).toThrow(what);
  expect(() => read(layer)).toThrow(/^layer 'l' has .*, which tf\.js passes over: it would compute something else\.$/);
});

test('calls of Keras 3 become lists of [layer, call, output, kwargs]', () => {
  const tensor = (name: string, call = 0) => ({
    class_name: '__keras_tensor__',
    config: { shape: [null, 2], keras_history: [name, call, 0] },
  });
  const layers = [
    keras3('InputLayer', { name: 'a', batch_shape: [null, 2] }, { name: 'a', inbound_nodes: [] }),
    {
      ...keras3('Sequential', { name: 'inner', layers: [] }),
      name: 'inner',
      inbound_nodes: [{ args: [tensor('a')], kwargs: { mask: null } }],
    },
    keras3(
      'Add',
      { name: 'b' },
      { name: 'b', inbound_nodes: [{ args: [[tensor('a'), tensor('inner')]], kwargs: {} }] },
    ),
    keras3(
      'Dropout',
      { name: 'd' },
      { name: 'd', inbound_nodes: [{ args: [tensor('b')], kwargs: { training: false } }] },
    ),
  ];
  const topology = {
    ...keras3('Functional', { name: 'm', layers, input_layers: ['a', 0, 0], output_layers: [['d', 0, 0]] }),
  };
  const { config } = readTopology(topology, true).model as {
    config: { layers: { inbound_nodes: unknown }[]; input_layers: unknown; output_layers: unknown };
  };
  expect(config.layers.map(({ inbound_nodes }) => inbound_nodes)).toEqual([
    [],
    [[['a', 0, 0, {}]]],
    // The first call of a model is the one that made it.
    [
      [
        ['a', 0, 0, {}],
        ['inner', 1, 0, {}],
      ],
    ],
    [[['b', 0, 0, { training: false }]]],
  ]);
  expect([config.input_layers, config.output_layers]).toEqual([[['a', 0, 0]], [['d', 0, 0]]]);
  const strange = keras3(
    'MultiHeadAttention',
    { name: 'b' },
    { name: 'b', inbound_nodes: [{ args: [tensor('a')], kwargs: { value: tensor('a') } }] },
  );
  expect(() => readTopology(keras3('Functional', { name: 'm', layers: [layers[0]!, strange] }), true)).toThrow(
    "layer 'b' is called with a tensor as value",
  );
});

test.each<[layer: object, line: RegExp]>([
  [keras3('Conv1D', { padding: 'causal' }), /^layer 'l' has padding 'causal', which does not work in models of tf\.js/],
  [keras3('Resizing', { height: 2, width: 2 }), /^layer 'l' is of a class that does not work in models of tf\.js/],
])('%j does not work in tf.js', (layer, line) => {
  expect(() => read(layer)).toThrow(line);
});

test('the shape that a layer was built for or is called on', () => {
  const tensor = (...shape: number[]) => ({
    class_name: '__keras_tensor__',
    config: { shape, keras_history: ['a', 0, 0] },
  });
  const node = (...shape: number[]) => ({ args: [tensor(...shape)], kwargs: {} });
  const flatten = (more: object) => one(keras3('Flatten', { trainable: true }, more)).class_name;
  expect(flatten({ build_config: { input_shape: [null, 4] } })).toBe('Activation');
  expect(flatten({ build_config: { input_shape: [null, 4, 2] } })).toBe('Flatten');
  expect(flatten({ inbound_nodes: [node(1, 4)] })).toBe('Activation');
  expect(flatten({ inbound_nodes: [node(1, 4), node(1, 4, 2)] })).toBe('Flatten');
  expect(flatten({})).toBe('Flatten');
});

test('constraints are over once the model is trained', () => {
  const constraint = { class_name: 'NonNeg', config: {} };
  const { config } = one(keras3('Dense', { units: 2, kernel_constraint: constraint, bias_constraint: 'non_neg' }));
  expect(config).toEqual({ name: 'l', units: 2, kernel_constraint: null, bias_constraint: null });
});

test('of which Keras a file is, without modules too', () => {
  const sigmoid = (...layers: object[]) =>
    read(...layers, keras2('Dense', { activation: 'hard_sigmoid' })).layers.at(-1)!.config;
  const [ofKeras2, ofKeras3] = [{ activation: 'hard_sigmoid' }, { activation: 'hardSigmoidOfKeras3' }];
  expect(sigmoid(keras2('InputLayer', { batch_input_shape: [null, 2] }))).toMatchObject(ofKeras2);
  expect(sigmoid(keras3('InputLayer', { batch_input_shape: [null, 2] }))).toMatchObject(ofKeras2);
  expect(sigmoid(keras2('InputLayer', { batch_shape: [null, 2] }))).toMatchObject(ofKeras3);
  expect(sigmoid(keras2('ReLU', { dtype: { class_name: 'DTypePolicy', config: { name: 'float32' } } }))).toMatchObject(
    ofKeras3,
  );
  expect(sigmoid(keras3('ReLU'))).toMatchObject(ofKeras3);
});

test('what is no topology', () => {
  for (const topology of [null, 3, {}, { class_name: 'Sequential' }]) {
    expect(() => readTopology(topology, true)).toThrow(/has no class_name and config/);
  }
});

test('a function with the name of an activation that is known is taken for it, and named', () => {
  // What Keras 3.15 writes of `def swish(x)` and of tf.nn.swish alike.
  const functionOf = (config: string) => ({
    module: 'builtins',
    class_name: 'function',
    config,
    registered_name: 'function',
  });
  for (const [given, inTfjs] of [
    ['swish', 'swish'],
    ['hard_swish', 'hardSilu'],
  ] as const) {
    const { layers, notes } = read(keras3('Dense', { name: 'd', activation: functionOf(given) }));
    expect(layers.at(-1)!.config).toMatchObject({ activation: inTfjs });
    expect(notes).toEqual([
      `Layer 'd' has as its activation a function of the name ${given}, whose code is not in the file: the reading is of ${given} as Keras has it.`,
    ]);
  }
  expect(read(keras3('Dense', { activation: functionOf('my_function') })).notes).toEqual([]);
  expect(read(keras3('Dense', { activation: 'silu' })).notes).toEqual([]);
});

test('an activation that is a layer keeps what it is set to', () => {
  const activationOf = (activation: object) => one(keras3('Dense', { activation })).config.activation;
  expect(activationOf(keras3('LeakyReLU', { negative_slope: 0.1 }))).toMatchObject({
    class_name: 'LeakyReLU',
    config: { alpha: 0.1 },
  });
  expect(activationOf(keras2('LeakyReLU', { alpha: 0.1 }))).toMatchObject({ config: { alpha: 0.1 } });
  expect(activationOf(keras3('ReLU', { max_value: 6, negative_slope: 0, threshold: 0 }))).toMatchObject({
    class_name: 'ReLU',
    config: { max_value: 6 },
  });
  expect(activationOf(keras3('ReLU', { max_value: null, negative_slope: 0.2, threshold: 0 }))).toMatchObject({
    class_name: 'LeakyReLU',
    config: { alpha: 0.2 },
  });
  for (const strange of [keras3('PReLU'), keras3('Mine'), { value: ['4wEA', null, null] }]) {
    expect(() => activationOf(strange)).toThrow(/^layer 'l' has as its activation .*, which tf\.js does not know/);
  }
});

test('models in a model whose calls are outputs give what Keras gives', async () => {
  const { model } = await loadModelFile('test/fixtures/keras3/nested.keras');
  const a = [
    [0.395122, 0.429864],
    [0.696043, -1.184118],
  ];
  const b = [
    [-1.169802, 1.739368],
    [-0.495911, 0.32897],
  ];
  const [f, h, first, second] = tf.tidy(() =>
    (model.predict([tf.tensor2d(a), tf.tensor2d(b)]) as tf.Tensor[]).map((y) => [...y.dataSync()]),
  );
  disposeModel(model);
  const near = (ys: number[]) => ys.map((y) => expect.closeTo(y, 5));
  expect(f).toEqual(near([-0.031159, 0.235442, 1.455265, -0.080973]));
  expect(h).toEqual(near([1.600394, 0.040579, 0.339285, 0.004623]));
  // A ReLU up to 0.5.
  expect(first).toEqual(near([0.241257, 0, 0.5, 0.5]));
  expect(second).toEqual(near([0, 0, 0, 0]));
});

test('Keras 2 counts the calls of models from 1 already, in files that name modules too', () => {
  const layers = [
    keras3('InputLayer', { name: 'a', batch_input_shape: [null, 2] }, { inbound_nodes: [] }),
    keras3('Sequential', { name: 's', layers: [] }, { inbound_nodes: [[['a', 0, 0, {}]]] }),
    keras3('LSTM', { name: 'r', recurrent_activation: 'hard_sigmoid' }, { inbound_nodes: [[['s', 1, 0, {}]]] }),
  ];
  const ends = { input_layers: [['a', 0, 0]], output_layers: [['s', 1, 0]] };
  const { config } = readTopology(keras3('Functional', { layers, ...ends }), true).model as { config: object };
  expect(config).toMatchObject(ends);
});

test.each([
  { args: [{ class_name: '__keras_tensor__', config: { keras_history: ['a', 0, 0] } }], kwargs: { training: true } },
  { args: [{ class_name: '__keras_tensor__', config: { keras_history: ['a', 0, 0] } }, true], kwargs: {} },
  [['a', 0, 0, { training: true }]],
])('a call that trains while it predicts is refused: %j', (node) => {
  expect(() => read({ ...keras3('Dropout'), inbound_nodes: [node] })).toThrow(
    /^layer 'l' is called with training: true, which tf\.js passes over/,
  );
});

test('what Keras 3 writes of layers that draw is no reason to refuse them, what a user has said in Keras 2 is', () => {
  const node = {
    args: [{ class_name: '__keras_tensor__', config: { keras_history: ['a', 0, 0] } }],
    kwargs: { training: true },
  };
  expect(one({ ...keras3('RandomFlip'), inbound_nodes: [node] })).toMatchObject({
    inbound_nodes: [[['a', 0, 0, { training: true }]]],
  });
  expect(() => read({ ...keras3('RandomFlip'), inbound_nodes: [[['a', 0, 0, { training: true }]]] })).toThrow(
    /^layer 'l' is called with training: true/,
  );
});

test('a mask that is an input is refused', () => {
  const tensor = (name: string) => ({ class_name: '__keras_tensor__', config: { keras_history: [name, 0, 0] } });
  const node = { args: [tensor('a')], kwargs: { mask: tensor('b') } };
  expect(() => read({ ...keras3('LSTM'), inbound_nodes: [node] })).toThrow(/^layer 'l' is called with a mask/);
});

test("somebody's class that has the name of another is not taken for it", () => {
  for (const module of [null, 'my.layers']) {
    for (const name of ['LayerNormalization', 'RandomFlip']) {
      const layer = { ...keras3(name), module, registered_name: `My>${name}` };
      expect(() => read(layer)).toThrow(
        `layer 'l' is of a class My>${name} that is not Keras' own ${name}: --require a module that registers it`,
      );
    }
  }
  expect(one({ ...keras3('Dense'), module: 'keras.src.layers.core.dense' }).class_name).toBe('Dense');
  class Relabelled extends tfl.layers.Layer {
    static readonly className = 'LayerNormalization';
  }
  const { classNameMap } = tf.serialization.SerializationMap.getMap();
  const own = classNameMap.LayerNormalization!;
  tf.serialization.registerClass(Relabelled);
  try {
    expect(one({ ...keras3('LayerNormalization'), module: 'my' }).class_name).toBe('LayerNormalization');
  } finally {
    classNameMap.LayerNormalization = own;
  }
});
