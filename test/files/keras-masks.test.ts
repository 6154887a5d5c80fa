import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import type { Json } from '../../src/files/json-text.js';
import { isOperation, withoutOwnMasks } from '../../src/files/keras-masks.js';
import { disposeModel, loadModelFile } from '../../src/files/model-file.js';

const tensor = (name: string) => ({ class_name: '__keras_tensor__', config: { keras_history: [name, 0, 0] } });
const call = (args: unknown[], mask?: unknown) => [{ args, kwargs: { training: false, mask: mask ?? null } }];
const layer = (class_name: string, name: string, config: object, inbound_nodes: unknown[] = []): Json => ({
  module: 'keras.layers',
  class_name,
  name,
  config: { name, ...config },
  inbound_nodes,
});
const operation = (class_name: string, name: string, config: object, args: unknown[]) => ({
  ...layer(class_name, name, config, [{ args, kwargs: {} }]),
  module: 'keras.src.ops.numpy',
});
const ids = layer('InputLayer', 'x', {});
const embedding = layer('Embedding', 'e', { mask_zero: true }, call([tensor('x')]));
const notEqual = operation('NotEqual', 'ne', {}, [tensor('x'), 0]);
const lstm = layer('LSTM', 'r', {}, call([tensor('e')], tensor('ne')));
const names = (layers: readonly Json[]) => layers.map(({ name }) => name);

test('operations on tensors are told from layers, in HDF5 without a module', () => {
  const bare = (class_name: string, config: object, inbound_nodes: unknown[] = call([tensor('x')])) => ({
    class_name,
    config,
    inbound_nodes,
  });
  expect(isOperation(operation('Add', 'a', {}, [tensor('x'), 3]))).toBe(true);
  expect(isOperation(bare('Softmax', { name: 's', axis: 0 }))).toBe(true);
  expect(isOperation({ class_name: 'TFOpLambda', config: { name: 'f', trainable: true } })).toBe(true);
  expect(isOperation(layer('Add', 'a', { trainable: true }, call([tensor('x')])))).toBe(false);
  expect(isOperation(bare('Add', { name: 'a', trainable: true, dtype: 'float32' }))).toBe(false);
  expect(isOperation(bare('InputLayer', { name: 'x', batch_shape: [null, 2] }, []))).toBe(false);
  expect(isOperation(bare('Sequential', { name: 'm', layers: [] }))).toBe(false);
  expect(isOperation(bare('Mine', { units: 3 }))).toBe(false);
  expect(isOperation(bare('SpatialDropout2D', { name: 's', rate: 0.2, seed: null, dtype: {} }))).toBe(false);
  // As Keras 2 writes it.
  expect(isOperation(bare('Add', { name: 'a' }, [[['x', 0, 0, {}]]]))).toBe(false);
});

test('the mask that an Embedding makes is left to tf.js', () => {
  const kept = withoutOwnMasks([ids, embedding, notEqual, lstm], false, [['r', 0, 0]]);
  expect(names(kept)).toEqual(['x', 'e', 'r']);
  expect(kept[2]!.inbound_nodes).toEqual([{ args: [tensor('e')], kwargs: { training: false } }]);
});

test('the mask that a Masking makes is left to tf.js, behind layers that hand it on', () => {
  const masking = layer('Masking', 'm', { mask_value: -1 }, call([tensor('x')]));
  const each = operation('NotEqual', 'ne', {}, [tensor('x'), -1]);
  const any = operation('Any', 'any', { axis: -1, keepdims: false }, [tensor('ne')]);
  const dropout = layer('Dropout', 'd', {}, call([tensor('m')]));
  const gru = layer('GRU', 'r', {}, call([tensor('d')], tensor('any')));
  const all = [ids, masking, each, any, dropout, gru];
  expect(names(withoutOwnMasks(all, false, ['r', 0, 0]))).toEqual(['x', 'm', 'd', 'r']);
  const other = operation('NotEqual', 'ne', {}, [tensor('x'), 7]);
  expect(() => withoutOwnMasks([ids, masking, other, any, dropout, gru], false, ['r', 0, 0])).toThrow(
    "layer 'r' is called with a mask that tf.js does not make",
  );
});

test.each<[what: string, layers: Json[]]>([
  [
    'an input',
    [ids, layer('InputLayer', 'k', {}), embedding, layer('LSTM', 'r', {}, call([tensor('e')], tensor('k')))],
  ],
  ['one of another tensor', [ids, layer('Embedding', 'e', { mask_zero: false }, call([tensor('x')])), notEqual, lstm]],
  [
    'one that a pooling reads',
    [ids, embedding, notEqual, layer('GlobalAveragePooling1D', 'r', {}, call([tensor('e')], tensor('ne')))],
  ],
])('a mask that is %s is refused', (_what, layers) => {
  expect(() => withoutOwnMasks(layers, false, [['r', 0, 0]])).toThrow(
    /^layer 'r' is called with a mask that tf\.js does not make or read: build the model without it, [^\n]*$/,
  );
});

test('steps that are masked and read all the same', () => {
  const start = [layer('Embedding', 'e', { mask_zero: true })];
  const pooled = layer('GlobalAveragePooling1D', 'p', { data_format: 'channels_last' });
  expect(() => withoutOwnMasks([...start, pooled], true, undefined)).toThrow(/'p' is a GlobalAveragePooling1D of what/);
  // As tf.js writes it.
  expect(withoutOwnMasks([...start, layer('GlobalAveragePooling1D', 'p', {})], true, undefined)).toHaveLength(2);
  expect(withoutOwnMasks([layer('Embedding', 'e', {}), pooled], true, undefined)).toHaveLength(2);

  const inner = layer('LSTM', 'i', { return_sequences: true, zero_output_for_mask: true });
  const both = layer('Bidirectional', 'b', { layer: inner });
  expect(() => withoutOwnMasks([...start, both, layer('Flatten', 'f', {})], true, undefined)).toThrow(
    /^layer 'b' has zero_output_for_mask/,
  );
  expect(() => withoutOwnMasks([...start, both], true, undefined)).toThrow(/^layer 'b' has zero_output_for_mask/);
  expect(withoutOwnMasks([...start, both, layer('GRU', 'g', {})], true, undefined)).toHaveLength(3);
  expect(withoutOwnMasks([both, layer('Flatten', 'f', {})], true, undefined)).toHaveLength(2);
});

const pooling = layer('GlobalAveragePooling1D', 'p', { data_format: 'channels_last' });

test.each([
  ...['Identity', 'LeakyReLU', 'ELU', 'PReLU', 'AlphaDropout', 'ActivityRegularization', 'Rescaling', 'Normalization'],
])('a pooling of what is masked, behind a layer %s that hands the mask on in Keras, is refused', (className) => {
  const layers = [layer('Embedding', 'e', { mask_zero: true }), layer(className, 'l', {}), pooling];
  expect(() => withoutOwnMasks(layers, true, undefined)).toThrow(/^layer 'p' is a GlobalAveragePooling1D of what/);
  const forgetting = layer('Conv1D', 'c', {});
  expect(withoutOwnMasks([...layers.slice(0, 2), forgetting, pooling], true, undefined)).toHaveLength(4);
});

test('models among the layers hand a mask on, and read it', () => {
  const start = layer('Embedding', 'e', { mask_zero: true });
  const model = (...layers: Json[]) => layer('Sequential', 'm', { layers });
  const refused = /^layer 'p' is a GlobalAveragePooling1D of what/;
  expect(() => withoutOwnMasks([start, model(layer('Dense', 'd', {})), pooling], true, undefined)).toThrow(refused);
  expect(() => withoutOwnMasks([start, model(model(pooling))], true, undefined)).toThrow(refused);
  expect(withoutOwnMasks([start, model(layer('LSTM', 'r', {}))], true, undefined)).toHaveLength(2);
});

test('layers that have no mask in Keras and that of layers before in tf.js', () => {
  const recurrent = (className: string) => layer(className, 'r', { dtype: 'float32' }, call([tensor('o')]));
  const refused = /^layer 'r' has another mask in tf\.js than in Keras, or has one in tf\.js alone: build [^\n]*$/;
  const between = [
    operation('Multiply', 'o', {}, [tensor('e'), 2]),
    layer('Conv1D', 'o', {}, call([tensor('e')])),
    layer('RepeatVector', 'o', {}, call([tensor('e')])),
    // Another input.
    layer('InputLayer', 'o', {}),
  ];
  for (const middle of between) {
    for (const className of ['LSTM', 'Softmax', 'Bidirectional']) {
      const layers = [ids, embedding, middle, recurrent(className)];
      expect(() => withoutOwnMasks(layers, false, [['r', 0, 0]])).toThrow(refused);
    }
    const pooled = layer('GlobalAveragePooling1D', 'r', { data_format: 'channels_last' }, call([tensor('o')]));
    expect(withoutOwnMasks([ids, embedding, middle, pooled], false, [['r', 0, 0]])).toHaveLength(4);
    const unmasked = layer('Embedding', 'e', { mask_zero: false }, call([tensor('x')]));
    expect(withoutOwnMasks([ids, unmasked, middle, recurrent('LSTM')], false, [['r', 0, 0]])).toHaveLength(4);
  }
  const inModel = layer('Sequential', 'm', { layers: [recurrent('LSTM')] });
  const sequence = [layer('Masking', 'k', {}), between[1]!];
  expect(() => withoutOwnMasks([...sequence, inModel], true, undefined)).toThrow(refused);
  // Before any mask, and as tf.js writes it.
  expect(withoutOwnMasks([recurrent('LSTM'), ...sequence], true, undefined)).toHaveLength(3);
  expect(withoutOwnMasks([...sequence, layer('LSTM', 'r', {})], true, undefined)).toHaveLength(3);
});

test('what hands masks on in one Keras, and not in the other', () => {
  const node = (...names: string[]) => [names.map((name) => [name, 0, 0, {}])];
  const start = ['e', 'z'].map((name) => layer('Embedding', name, { mask_zero: name === 'e' }, node('x')));
  const pooled = { ...pooling, inbound_nodes: node('l') };
  const read = (className: string) =>
    withoutOwnMasks([ids, ...start, layer(className, 'l', {}, node('e', 'z')), pooled], false, [['p', 0, 0]], false);
  expect(() => read('Add')).toThrow(/^layer 'p' is a GlobalAveragePooling1D of what/);
  expect(() => read('Concatenate')).toThrow(/^layer 'p' is a GlobalAveragePooling1D of what/);
  expect(read('Rescaling')).toHaveLength(5);
  const last = layer('LSTM', 'r', { dtype: 'float32' }, node('l'));
  const merged = (className: string) =>
    withoutOwnMasks([ids, ...start, layer(className, 'l', {}, node('e', 'z')), last], false, [['r', 0, 0]], false);
  expect(() => merged('Add')).toThrow(/^layer 'r' has another mask in tf\.js than in Keras/);
  expect(merged('Concatenate')).toHaveLength(5);
  expect(read('Identity')).toHaveLength(5);

  // A call of TensorFlow's functions is no list of calls.
  const both = layer(
    'Bidirectional',
    'b',
    { layer: layer('LSTM', 'i', { return_sequences: true, zero_output_for_mask: true }) },
    node('e'),
  );
  const doubled = layer('TFOpLambda', 'f', {}, [['b', 0, 0, { y: 2 }]]);
  expect(() => withoutOwnMasks([ids, start[0]!, both, doubled], false, [['f', 0, 0]], false)).toThrow(
    /^layer 'b' has zero_output_for_mask/,
  );
});

test('a layer behind masked steps that is called on itself', () => {
  const both = layer('LSTM', 'b', { return_sequences: true, zero_output_for_mask: true }, call([tensor('e')]));
  const shared = layer('Dense', 'd', {}, [...call([tensor('b')]), ...call([tensor('d')])]);
  const last = layer('LSTM', 'r', {}, call([tensor('d')]));
  expect(withoutOwnMasks([ids, embedding, both, shared, last], false, [['r', 0, 0]])).toHaveLength(5);
});

test("a text model of Keras 3 predicts in tf.js what Keras did, whatever the texts' lengths", async () => {
  const { model } = await loadModelFile('test/fixtures/keras3/text.keras');
  const predictions = tf.tidy(() => (model.predict(tf.tensor2d(padded)) as tf.Tensor).arraySync());
  disposeModel(model);
  (predictions as number[][]).forEach((row, i) => {
    expect(row[0]).toBeCloseTo(byKeras[i]!, 5);
  });
});

const padded = [
  [7, 6, 5, 3, 3, 1],
  [1, 1, 2, 7, 6, 0],
  [5, 5, 8, 6, 0, 0],
  [5, 8, 3, 0, 0, 0],
  [4, 7, 0, 0, 0, 0],
];
const byKeras = [0.529711, 0.573217, 0.487056, 0.4805, 0.48886];
