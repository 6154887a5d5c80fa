import { isObject, type Json } from './json-text.js';

/**
 * Masks in the models that Keras writes. Keras 3 writes a mask as operations on the input of the Embedding or Masking layer that makes
 * it (NotEqual, Any) and as an argument of the calls that read it; tf.js makes the same mask itself when it runs those layers. Any other
 * mask tf.js would pass over.
 */

/** Where a tensor comes from. */
export type History = readonly [layer: unknown, call: unknown, output: unknown, ...rest: unknown[]];

const recurrent = ['LSTM', 'GRU', 'SimpleRNN', 'RNN', 'Bidirectional'];
/** Layers that hand a mask on, step by step, in Keras and in tf.js. */
const passing = [
  ...['Dropout', 'SpatialDropout1D', 'Dense', 'Activation', 'BatchNormalization', 'LayerNormalization', 'ReLU'],
  ...['GaussianNoise', 'GaussianDropout', 'TimeDistributed'],
];
/** Others that hand a mask on in Keras; so do models among the layers. */
const passingInKeras = [
  ...['ActivityRegularization', 'AlphaDropout', 'ELU', 'GroupNormalization', 'LeakyReLU', 'PReLU', 'Softmax'],
  'UnitNormalization',
];
const passingInKeras3 = ['Identity', 'Normalization', 'Rescaling'];
/** They hand on the mask of any of their inputs. In Keras 3 all have to be masked, and those masks it writes. */
const merging = ['Add', 'Subtract', 'Multiply', 'Average', 'Maximum', 'Minimum'];
const passingInKeras2 = [...merging, 'Concatenate'];
/** Layers that compute the same with a mask as without, inside TimeDistributed too. */
const heedless = ['Dense', 'Dropout', 'Activation', 'BatchNormalization', 'LayerNormalization'];
const pooling = 'GlobalAveragePooling1D';

const configOf = (layer: Json): Json => (isObject(layer.config) ? layer.config : {});
export const nameOf = (layer: Json): unknown => layer.name ?? configOf(layer).name;
const innerOf = ({ config }: Json): Json => {
  const inner = isObject(config) ? config.layer : undefined;
  return isObject(inner) ? inner : {};
};
const returnsSequences = (layer: Json) =>
  (layer.class_name === 'Bidirectional' ? configOf(innerOf(layer)) : configOf(layer)).return_sequences === true;

/** The tensors of an argument, in lists or not. */
export function tensorsOf(value: unknown): History[] {
  if (Array.isArray(value)) {
    return value.flatMap(tensorsOf);
  }
  if (!isObject(value)) {
    return [];
  }
  const { keras_history } = configOf(value);
  return value.class_name === '__keras_tensor__' && Array.isArray(keras_history) ? [keras_history as never] : [];
}

/** Whether it is an operation on tensors that Keras has written among the layers; in HDF5, without a module, with no more than its settings. */
export const isOperation = (layer: Json) =>
  layer.class_name === 'TFOpLambda' ||
  (layer.module === undefined
    ? isWrittenByKeras3(layer) && !bareLayers.includes(layer.class_name as string) && isBare(configOf(layer))
    : /^keras\.(src\.)?ops\b/.test(String(layer.module)));

/** Layers say whether they are trainable, or have layers that do, but for these. */
const isBare = (config: Json) => 'name' in config && !('trainable' in config || 'layers' in config);
const bareLayers = ['InputLayer', 'SpatialDropout1D', 'SpatialDropout2D', 'SpatialDropout3D', 'Discretization'];

const isWrittenByKeras3 = ({ inbound_nodes: nodes }: Json) => Array.isArray(nodes) && isObject(nodes[0]);

/**
 * The layers of a model without the masks that tf.js makes itself.
 *
 * @param isSequential whether each layer is called on the one before it.
 * @param ends what the model gives out, as Keras writes it.
 * @throws Error with one line for a mask that is passed over by tf.js, or that Keras reads otherwise.
 */
export function withoutOwnMasks(
  layers: readonly Json[],
  isSequential: boolean,
  ends: unknown,
  isKeras3 = true,
): readonly Json[] {
  const byName = new Map(layers.map((layer) => [nameOf(layer), layer]));
  const mask = (history: History | undefined) => history && maskAt(history, byName);
  const kept = layers.map((layer): Json => {
    if (!Array.isArray(layer.inbound_nodes)) {
      return layer;
    }
    return { ...layer, inbound_nodes: layer.inbound_nodes.map((node) => withoutOwnMask(layer, node, byName, mask)) };
  });
  checkReaders(layers, isSequential, ends, isKeras3);
  return withoutUnused(withoutUnused(kept, ends), ends);
}

function withoutOwnMask(
  layer: Json,
  node: unknown,
  byName: ReadonlyMap<unknown, Json>,
  mask: (history: History | undefined) => string | undefined,
): unknown {
  const kwargs = isObject(node) && isObject(node.kwargs) ? node.kwargs : {};
  const [given] = tensorsOf(kwargs.mask);
  if (given === undefined) {
    return node;
  }
  const called = tensorsOf((node as Json).args);
  const reader = layer.class_name === 'TimeDistributed' ? innerOf(layer).class_name : layer.class_name;
  const isKnown = [...heedless, ...(layer.class_name === reader ? recurrent : [])].includes(reader as string);
  const written = writtenMask(given, byName);
  if (!isKnown || written === undefined || written !== mask(called[0])) {
    throw new Error(
      `layer '${nameOf(layer)}' is called with a mask that tf.js does not make or read: build the model without it, or with a Masking or ` +
        'an Embedding of mask_zero=True that recurrent layers follow.',
    );
  }
  const { mask: _own, ...others } = kwargs;
  return { ...(node as Json), kwargs: others };
}

/** The mask that operations compute, in words that can be compared. */
function writtenMask([name]: History, byName: ReadonlyMap<unknown, Json>): string | undefined {
  const layer = byName.get(name);
  const [node] = (layer?.inbound_nodes ?? []) as readonly Json[];
  if (!layer || !isOperation(layer) || !isObject(node) || !Array.isArray(node.args)) {
    return undefined;
  }
  const [tensor] = tensorsOf(node.args);
  if (layer.class_name === 'NotEqual' && tensor && typeof node.args[1] === 'number') {
    return wordsOf(tensor, node.args[1], false);
  }
  const { axis, keepdims } = configOf(layer);
  if (layer.class_name !== 'Any' || !tensor || String(axis) !== '-1' || keepdims === true) {
    return undefined;
  }
  return writtenMask(tensor, byName)?.replace(/ each$/, ' any');
}

const wordsOf = ([layer, call, output]: History, value: unknown, isAny: boolean) =>
  `${JSON.stringify([layer, call, output])} is not ${Number(value)} ${isAny ? 'any' : 'each'}`;

/** The mask that tf.js has with a tensor. */
function maskAt([name, call]: History, byName: ReadonlyMap<unknown, Json>): string | undefined {
  const layer = byName.get(name);
  const node = (layer?.inbound_nodes as readonly Json[] | undefined)?.[Number(call)];
  const inputs = tensorsOf(node?.args);
  if (!layer || inputs.length !== 1) {
    return undefined;
  }
  const { mask_zero, mask_value } = configOf(layer);
  if (layer.class_name === 'Embedding') {
    return mask_zero === true ? wordsOf(inputs[0]!, 0, false) : undefined;
  }
  if (layer.class_name === 'Masking') {
    return wordsOf(inputs[0]!, mask_value ?? 0, true);
  }
  return handsOn(layer) ? maskAt(inputs[0]!, byName) : undefined;
}

const handsOn = (layer: Json) =>
  passing.includes(layer.class_name as string) ||
  (recurrent.includes(layer.class_name as string) && returnsSequences(layer));

const isModel = (layer: Json) => Array.isArray(configOf(layer).layers);
const handsOnInKeras = (layer: Json, isKeras3: boolean) =>
  !isOperation(layer) &&
  (handsOn(layer) ||
    isModel(layer) ||
    [...passingInKeras, ...(isKeras3 ? passingInKeras3 : passingInKeras2)].includes(layer.class_name as string));

/** With all layers of the models among them. */
const withInner = (layer: Json): Json[] =>
  isModel(layer) ? (configOf(layer).layers as Json[]).flatMap(withInner) : [layer];

const beginsMask = (layer: Json) =>
  layer.class_name === 'Masking' || (layer.class_name === 'Embedding' && configOf(layer).mask_zero === true);

/** Masks that are not written as arguments: Keras makes them anew when it runs the model. */
function checkReaders(layers: readonly Json[], isSequential: boolean, ends: unknown, isKeras3: boolean): void {
  if (!layers.some(beginsMask)) {
    return;
  }
  const callers = new Map<unknown, Json[]>();
  layers.forEach((layer, i) => {
    const before = isSequential ? [nameOf(layers[i - 1] ?? {})] : calledOn(layer);
    for (const name of before) {
      callers.set(name, [...(callers.get(name) ?? []), layer]);
    }
  });
  /** What reads a layer's output, also behind layers that hand on. */
  const readersOf = (layer: Json, isHandingOn: (next: Json) => boolean, found = new Set<Json>()): Set<Json> => {
    for (const next of callers.get(nameOf(layer)) ?? []) {
      if (!found.has(next)) {
        found.add(next);
        if (isHandingOn(next)) {
          readersOf(next, isHandingOn, found);
        }
      }
    }
    return found;
  };
  const isRecurrent = (layer: Json) => recurrent.includes(layer.class_name as string);
  const last = isSequential ? [nameOf(layers.at(-1) ?? {})] : namesIn(ends);
  const isLast = (layer: Json) => last.includes(nameOf(layer));
  /** Whether anything but recurrent layers, which skip them, reads the steps that are masked. */
  const isSeen = (layer: Json): boolean =>
    isLast(layer) ||
    [...readersOf(layer, (next) => handsOn(next) && !isRecurrent(next))].some(
      (next) => !isRecurrent(next) && (!handsOn(next) || isLast(next)),
    );
  const maskedBehind = (begin: readonly Json[]): Set<Json> => {
    const found = new Set<Json>();
    for (const layer of begin) {
      readersOf(layer, (next) => handsOnInKeras(next, isKeras3), found);
    }
    return found;
  };
  const masked = maskedBehind(layers.filter(beginsMask));
  const unmasked = layers.slice(isSequential ? layers.findIndex(beginsMask) : 0).filter((layer) => !masked.has(layer));
  // There tf.js gives the mask another shape.
  const merged = maskedBehind(
    [...masked].filter((layer) => merging.includes(layer.class_name as string) && !isOperation(layer)),
  );
  const readers = [...unmasked, ...merged].map(withInner).filter((inner) => !inner.some(beginsMask));
  for (const layer of readers.flat()) {
    // tf.js hands the last mask there was to every layer that it runs afterwards; what it writes itself has no such key.
    if ((isRecurrent(layer) || layer.class_name === 'Softmax') && 'dtype' in configOf(layer)) {
      throw new Error(
        `layer '${nameOf(layer)}' has another mask in tf.js than in Keras, or has one in tf.js alone: build the model without the mask.`,
      );
    }
  }
  for (const layer of [...masked].flatMap(withInner)) {
    const name = nameOf(layer);
    // What tf.js writes has no such key.
    if (layer.class_name === pooling && 'data_format' in configOf(layer)) {
      throw new Error(
        `layer '${name}' is a ${pooling} of what is masked: Keras leaves masked steps out and tf.js does not: build the model without ` +
          'the mask.',
      );
    }
    const own = [
      configOf(layer),
      ...['layer', 'forward_layer'].map((key) => configOf((configOf(layer)[key] ?? {}) as Json)),
    ];
    if (own.some((config) => config.zero_output_for_mask === true) && returnsSequences(layer) && isSeen(layer)) {
      throw new Error(
        `layer '${name}' has zero_output_for_mask, as all Bidirectional layers of sequences have, which tf.js passes over: build the model ` +
          'without the mask.',
      );
    }
  }
}

function calledOn(layer: Json): unknown[] {
  const nodes = Array.isArray(layer.inbound_nodes) ? layer.inbound_nodes : [];
  return nodes.flatMap((node) =>
    isObject(node)
      ? tensorsOf(node.args).map(([name]) => name)
      : Array.isArray(node)
        ? (typeof node[0] === 'string' ? [node] : node).map((input) => (Array.isArray(input) ? input[0] : undefined))
        : [],
  );
}

const namesIn = (value: unknown): string[] =>
  Array.isArray(value)
    ? value.flatMap(namesIn)
    : isObject(value)
      ? Object.values(value).flatMap(namesIn)
      : typeof value === 'string'
        ? [value]
        : [];

/** Without operations that only masks were made of. */
function withoutUnused(layers: readonly Json[], ends: unknown): readonly Json[] {
  const used = new Set<unknown>(namesIn(ends));
  for (const { inbound_nodes: nodes } of layers) {
    for (const node of Array.isArray(nodes) ? nodes : []) {
      if (isObject(node)) {
        for (const [name] of tensorsOf([node.args, Object.values((node.kwargs ?? {}) as Json)])) {
          used.add(name);
        }
      }
    }
  }
  return layers.filter(
    (layer) =>
      !(isOperation(layer) && ['NotEqual', 'Any'].includes(layer.class_name as string)) || used.has(nameOf(layer)),
  );
}
