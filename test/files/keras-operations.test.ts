import { expect, test } from 'vitest';
import { operationAsLayer } from '../../src/files/keras-operations.js';

const tensor = (dtype = 'float32', shape: readonly (number | null)[] = [null, 2]) => ({
  class_name: '__keras_tensor__',
  config: { shape, dtype, keras_history: ['a', 0, 0] },
});
const operation = (class_name: string, ...calls: unknown[][]) => ({
  module: 'keras.src.ops.numpy',
  class_name,
  config: { name: 'o' },
  registered_name: class_name,
  name: 'o',
  inbound_nodes: calls.map((args) => ({ args, kwargs: {} })),
});

test('those of two tensors are layers of the same name', () => {
  for (const name of ['Add', 'Multiply', 'Maximum', 'Minimum']) {
    const given = operation(name, [tensor(), tensor()]);
    expect(operationAsLayer(given, 'o')).toBe(given);
  }
});

test.each<[class_name: string, args: unknown[], scale: number, offset: number]>([
  ['Add', [tensor(), 3], 1, 3],
  ['Add', [3, tensor()], 1, 3],
  ['Subtract', [tensor(), 3], 1, -3],
  ['Subtract', [3, tensor()], -1, 3],
  ['Multiply', [tensor('float16'), 0.5], 0.5, 0],
  ['Multiply', [0.5, tensor()], 0.5, 0],
  ['Divide', [tensor(), 4], 0.25, 0],
  ['TrueDivide', [tensor(), 4], 0.25, 0],
])('%s of a tensor and a number is a Rescaling', (class_name, args, scale, offset) => {
  expect(operationAsLayer(operation(class_name, args), 'o')).toMatchObject({
    module: 'keras.layers',
    class_name: 'Rescaling',
    name: 'o',
    config: { name: 'o', scale, offset },
    inbound_nodes: [{ args: [{ class_name: '__keras_tensor__' }], kwargs: {} }],
  });
});

/** As Keras 2 writes it. */
const function2 = (called: string, ...nodes: unknown[][]) => ({
  class_name: 'TFOpLambda',
  config: { name: 'o', trainable: true, dtype: 'float32', function: called },
  name: 'o',
  inbound_nodes: nodes,
});

test.each<[called: string, scale: number, offset: number]>([
  ['__operators__.add', 1, 4],
  ['math.add', 1, 4],
  ['math.subtract', 1, -4],
  ['math.multiply', 4, 0],
  ['math.divide', 0.25, 0],
  ['math.truediv', 0.25, 0],
])("Keras 2's %s of a tensor and a number is a Rescaling", (called, scale, offset) => {
  const node = ['Conv/BatchNorm', 1, 0, { y: 4, name: null }];
  expect(operationAsLayer(function2(called, node), 'o')).toMatchObject({
    class_name: 'Rescaling',
    config: { name: 'o', scale, offset },
    inbound_nodes: [[['Conv/BatchNorm', 1, 0, {}]]],
  });
});

test.each<[what: string, called: string, nodes: unknown[][]]>([
  ['another function', 'nn.relu', [['x', 0, 0, { name: null }]]],
  ['of two tensors, whose axes are not known', '__operators__.add', [['x', 0, 0, { y: ['z', 0, 0], name: null }]]],
  ['of a number and a tensor', '__operators__.add', [['_CONSTANT_VALUE', -1, 3, { y: ['x', 0, 0], name: null }]]],
  ['of more than that', 'math.add', [['x', 0, 0, { y: 3, axis: 1 }]]],
  [
    'of other numbers',
    'math.add',
    [
      ['x', 0, 0, { y: 3 }],
      ['x', 0, 0, { y: 4 }],
    ],
  ],
  ['written otherwise', 'math.add', [[['x', 0, 0, { y: 3 }]]]],
  ['never called', 'math.add', []],
])('what is %s of Keras 2 is refused', (_what, called, nodes) => {
  expect(() => operationAsLayer(function2(called, ...nodes), 'o')).toThrow(
    `'o' is the operation ${called} of TensorFlow, which tf.js has no layer for: build the model with a layer, Add, Rescaling or Activation.`,
  );
});

test.each<[what: string, operation: object]>([
  ['a function of one tensor', operation('Relu', [tensor()])],
  ['no layer of tf.js', operation('Subtract', [tensor(), tensor()])],
  ['broadcast to more axes', operation('Add', [tensor(), tensor('float32', [null, 3, 2])])],
  ['a number divided', operation('Divide', [4, tensor()])],
  ['the larger of it and a number', operation('Maximum', [tensor(), 0])],
  ['of whole numbers, which may overflow', operation('Add', [tensor('uint8'), 200])],
  ['of an array', operation('Multiply', [tensor(), { class_name: '__numpy__', config: { value: [1, 2] } }])],
  ['of another number each time', operation('Add', [tensor(), 1], [tensor(), 2])],
  ['of several tensors', operation('Multiply', [[tensor(), tensor()], 2])],
  ['never called', operation('Add')],
  ['a power', operation('Power', [tensor(), 2])],
])('what is %s is refused', (_what, given) => {
  expect(() => operationAsLayer(given as ReturnType<typeof operation>, 'o')).toThrow(
    /^'o' is the operation \w+ of keras\.ops, which tf\.js has no layer for: build the model with a layer, [^\n]*$/,
  );
});
