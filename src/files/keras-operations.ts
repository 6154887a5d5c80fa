import { isObject, type Json } from './json-text.js';
import { tensorsOf } from './keras-masks.js';

/** Operations that are layers of tf.js, by the same name, where they are of two tensors. */
const sameAsLayers = ['Add', 'Multiply', 'Maximum', 'Minimum'];

/** Of a tensor x and a number c, as the scale and the offset of a Rescaling; null where that is none. */
const rescalings: Readonly<
  Record<string, (c: number, isFirst: boolean) => readonly [scale: number, offset: number] | null>
> = {
  Add: (c) => [1, c],
  Subtract: (c, isFirst) => (isFirst ? [-1, c] : [1, -c]),
  Multiply: (c) => [c, 0],
  Divide: (c, isFirst) => (isFirst ? null : [1 / c, 0]),
  TrueDivide: (c, isFirst) => (isFirst ? null : [1 / c, 0]),
};

/**
 * An operation on tensors that Keras 3 writes among the layers, `x + 3.0` for one, as a layer of tf.js.
 *
 * @throws Error with one line where there is none.
 */
export function operationAsLayer(operation: Json, name: string): Json {
  const { class_name: given } = operation as { class_name: string };
  const nodes = (Array.isArray(operation.inbound_nodes) ? operation.inbound_nodes : []) as unknown[];
  const calls = nodes.map((node) => (isObject(node) && Array.isArray(node.args) ? (node.args as unknown[]) : []));
  if (sameAsLayers.includes(given) && calls.length > 0 && calls.every(isOfTwo)) {
    return operation;
  }
  const scaled = calls.map((args) => rescalingOf(given, args));
  const [first] = scaled;
  if (!first || scaled.some((each) => String(each) !== String(first))) {
    throw new Error(
      `'${name}' is the operation ${given} of keras.ops, which tf.js has no layer for: build the model with a layer, Add, Rescaling or Activation.`,
    );
  }
  const [scale, offset] = first;
  return {
    ...operation,
    module: 'keras.layers',
    class_name: 'Rescaling',
    config: { name, scale, offset },
    inbound_nodes: calls.map((args) => ({ args: args.filter(isObject), kwargs: {} })),
  };
}

const configOf = (tensor: unknown) => (tensor as { config: { shape?: unknown[]; dtype?: unknown } }).config;

const isTensor = (value: unknown) => isObject(value) && tensorsOf(value).length === 1;

/** Whether it is called on two tensors of as many axes. */
const isOfTwo = (args: readonly unknown[]) =>
  args.length === 2 &&
  args.every(isTensor) &&
  new Set(args.map((tensor) => (configOf(tensor).shape ?? []).length)).size === 1;

/** What it is called on as a Rescaling, which computes with floats: null where that is something else. */
function rescalingOf(operation: string, args: readonly unknown[]): readonly [number, number] | null {
  const isFirst = typeof args[0] === 'number';
  const [c, tensor] = isFirst ? args : [args[1], args[0]];
  return args.length === 2 &&
    typeof c === 'number' &&
    isTensor(tensor) &&
    String(configOf(tensor).dtype).includes('float') &&
    Object.hasOwn(rescalings, operation)
    ? rescalings[operation]!(c, isFirst)
    : null;
}
