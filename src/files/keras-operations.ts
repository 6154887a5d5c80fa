import { isObject, type Json } from './json-text.js';
import { tensorsOf } from './keras-masks.js';

/** Operations that are layers of tf.js, by the same name, where they are of two tensors. */
const sameAsLayers = ['Add', 'Multiply', 'Maximum', 'Minimum'];

/** What a tensor x and a number c are as a Rescaling: its scale and offset. */
type Rescaling = readonly [scale: number, offset: number];

/** By the operation; null where that is no Rescaling. */
const rescalings: Readonly<Record<string, (c: number, isFirst: boolean) => Rescaling | null>> = {
  Add: (c) => [1, c],
  Subtract: (c, isFirst) => (isFirst ? [-1, c] : [1, -c]),
  Multiply: (c) => [c, 0],
  Divide: (c, isFirst) => (isFirst ? null : [1 / c, 0]),
  TrueDivide: (c, isFirst) => (isFirst ? null : [1 / c, 0]),
};

/** The same by the names of TensorFlow's functions, which Keras 2 writes. */
const functions: Readonly<Record<string, string>> = {
  '__operators__.add': 'Add',
  'math.add': 'Add',
  'math.subtract': 'Subtract',
  'math.multiply': 'Multiply',
  'math.divide': 'Divide',
  'math.truediv': 'Divide',
};

/** One call as a Rescaling, and the node that says what this is called on. */
interface RescaledCall {
  readonly rescaling: Rescaling;
  readonly node: unknown;
}

/**
 * An operation on tensors that Keras writes among the layers, `x + 3.0` for one, as a layer of tf.js.
 *
 * @throws Error with one line where there is none.
 */
export function operationAsLayer(operation: Json, name: string): Json {
  const given = operation.class_name as string;
  const nodes = (Array.isArray(operation.inbound_nodes) ? operation.inbound_nodes : []) as unknown[];
  if (sameAsLayers.includes(given) && nodes.length > 0 && nodes.every((node) => isOfTwo(argumentsOf(node)))) {
    return operation;
  }
  const { function: called } = isObject(operation.config) ? operation.config : {};
  const calls = nodes.map((node) =>
    given === 'TFOpLambda' ? ofKeras2(String(called), node) : ofKeras3(given, argumentsOf(node)),
  );
  const [first] = calls;
  if (!first || calls.some((call) => String(call?.rescaling) !== String(first.rescaling))) {
    const whose = given === 'TFOpLambda' ? `${called} of TensorFlow` : `${given} of keras.ops`;
    throw new Error(
      `'${name}' is the operation ${whose}, which tf.js has no layer for: build the model with a layer, Add, Rescaling or Activation.`,
    );
  }
  const [scale, offset] = first.rescaling;
  return {
    ...operation,
    module: 'keras.layers',
    class_name: 'Rescaling',
    config: { name, scale, offset },
    inbound_nodes: calls.map((call) => call!.node),
  };
}

/** What a node of Keras 3 says that a layer or an operation is called on; nothing of one of Keras 2. */
export const argumentsOf = (node: unknown): readonly unknown[] =>
  isObject(node) && Array.isArray(node.args) ? (node.args as unknown[]) : [];

const isTensor = (value: unknown) => isObject(value) && tensorsOf(value).length === 1;
const configOf = (tensor: unknown) => (tensor as { config: { shape?: unknown[]; dtype?: unknown } }).config;

/** Whether it is called on two tensors of as many axes. */
const isOfTwo = (args: readonly unknown[]) =>
  args.length === 2 &&
  args.every(isTensor) &&
  new Set(args.map((tensor) => (configOf(tensor).shape ?? []).length)).size === 1;

/** Of floats alone, which a Rescaling computes with. */
function ofKeras3(operation: string, args: readonly unknown[]): RescaledCall | null {
  const isFirst = typeof args[0] === 'number';
  const [c, tensor] = isFirst ? args : [args[1], args[0]];
  if (
    args.length !== 2 ||
    typeof c !== 'number' ||
    !isTensor(tensor) ||
    !/float/.test(String(configOf(tensor).dtype))
  ) {
    return null;
  }
  const rescaling = Object.hasOwn(rescalings, operation) ? rescalings[operation]!(c, isFirst) : null;
  return rescaling && { rescaling, node: { args: [tensor], kwargs: {} } };
}

/** The tensor comes first there: [layer, call, output, { y }]. */
function ofKeras2(called: string, node: unknown): RescaledCall | null {
  const [layer, call, output, kwargs] = Array.isArray(node) ? (node as unknown[]) : [];
  const { y, name: _name, ...others } = isObject(kwargs) ? kwargs : {};
  const isOfNumber = typeof layer === 'string' && layer !== '_CONSTANT_VALUE' && typeof y === 'number';
  if (!isOfNumber || Object.keys(others).length > 0 || !Object.hasOwn(functions, called)) {
    return null;
  }
  return { rescaling: rescalings[functions[called]!]!(y, false)!, node: [[layer, call, output, {}]] };
}
