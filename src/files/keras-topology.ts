// Registers the classes that are looked up.
import '@tensorflow/tfjs-layers';
import * as tf from '@tensorflow/tfjs-core';
import { isBuiltInLayer, randomLayers, registerBuiltInLayers } from './built-in-layers.js';
import { isObject, type Json } from './json-text.js';
import { activationInTfjs, activations } from './keras-activations.js';
import { repair } from './keras-layers.js';
import { type History, isOperation, nameOf, tensorsOf, withoutOwnMasks } from './keras-masks.js';
import { argumentsOf, operationAsLayer } from './keras-operations.js';

/**
 * What tf.js cannot read of the models that Keras writes, put into the words that it knows. Keras 3: shapes of inputs (`batch_shape`),
 * types as policies, calls as `__keras_tensor__`, `negative_slope`; Keras 2 and 3: what tf.js passes over in silence, a ReLU's slope
 * for one. What has no words in tf.js is refused.
 */

/** A model's topology as tf.js reads it, and what it computes otherwise than Keras. */
export interface Topology {
  /** `{ class_name, config }`. */
  readonly model: Json;
  /** One sentence each. */
  readonly notes: readonly string[];
}

/**
 * @param topology `{ class_name, config }` as a Keras of either version, or tf.js, has written it; it is left as it is.
 * @param withInitializers false where the weights come from a file: what they began as need not be known then.
 * @throws Error with one line that names the layer which tf.js has not.
 */
export function readTopology(topology: unknown, withInitializers: boolean): Topology {
  const notes: string[] = [];
  if (!isObject(topology) || typeof topology.class_name !== 'string' || topology.config === undefined) {
    throw new Error('the topology has no class_name and config, as a model of layers has: it is damaged.');
  }
  const text = JSON.stringify(topology);
  // The last versions of Keras 2 name modules as Keras 3 does, and Keras 3 does not in HDF5.
  const isKeras3 =
    /"(__keras_tensor__|DTypePolicy)"/.test(text) ||
    (/"(module|batch_shape)":/.test(text) && !text.includes('"batch_input_shape":'));
  const model = layerOf(structuredClone(topology), { notes, withInitializers, isKeras3, models: new Set() });
  return { model, notes };
}

interface Context {
  readonly notes: string[];
  readonly withInitializers: boolean;
  readonly isKeras3: boolean;
  /** Names of the models among the layers beside this one. */
  readonly models: ReadonlySet<unknown>;
}

const isModelClass = (name: unknown) => ['Functional', 'Model', 'Sequential'].includes(name as string);

/** tf.js' own layers, before anybody registers others by their names. */
const classesOfTfjs: Readonly<Record<string, unknown>> = Object.fromEntries(
  Object.entries(tf.serialization.SerializationMap.getMap().classNameMap).map(([name, [layer]]) => [name, layer]),
);

function layerOf(written: Json, context: Context): Json {
  const layer = isOperation(written) ? operationAsLayer(written, String(nameOf(written))) : written;
  const given = layer.class_name as string;
  if (Array.isArray(layer.config)) {
    // A Sequential of old.
    return { ...layer, config: layer.config.map((each) => layerOf(each, context)) };
  }
  const config = isObject(layer.config) ? layer.config : {};
  const name = (config.name ?? layer.name ?? given) as string;
  checkOrigin(layer, name);
  for (const [key, value] of Object.entries(config)) {
    config[key] = plainValue(key, value, name, context);
  }
  if ('batch_shape' in config) {
    config.batch_input_shape = config.batch_shape;
    delete config.batch_shape;
  }
  if (Array.isArray(config.layers)) {
    const layers = withoutOwnMasks(config.layers, given === 'Sequential', config.output_layers, context.isKeras3);
    const namesOf = (isOf: (className: unknown) => boolean) =>
      new Set(layers.filter((each) => isOf(each.class_name)).map((each) => (each.config as Json).name));
    const models = namesOf(isModelClass);
    // Of the models, Keras 3 leaves out the first call of these alone where it counts for the ends.
    const countedBare = layers.some((each) => isObject((each.inbound_nodes as unknown[] | undefined)?.[0]))
      ? namesOf((className) => className === 'Sequential')
      : new Set();
    config.layers = layers.map((each) => layerOf(each, { ...context, models }));
    for (const ends of ['input_layers', 'output_layers']) {
      if (config[ends] !== undefined) {
        const list = listOfEnds(config[ends]);
        config[ends] = Array.isArray(list) ? list.map((each) => callAsInTfjs(each as History, countedBare)) : list;
      }
    }
  }
  for (const inner of ['layer', 'forward_layer', 'backward_layer', 'cell']) {
    if (isObject(config[inner])) {
      config[inner] = layerOf(config[inner], context);
    }
  }
  if (Array.isArray(config.cells)) {
    config.cells = config.cells.map((each) => layerOf(each as Json, context));
  }
  const { isKeras3, notes } = context;
  const changed = repair({ className: given, config, name, isKeras3, inputShape: inputShapeOf(layer), notes });
  const repaired: Json = { ...layer, class_name: changed ?? given, config };
  if (Array.isArray(layer.inbound_nodes)) {
    repaired.inbound_nodes = layer.inbound_nodes.map((node) =>
      nodeOf(node, name, context.models, randomLayers.includes(given)),
    );
  }
  return repaired;
}

/** What a layer of Keras 3 was built for or is called on, where that is once. */
function inputShapeOf({ build_config: built, inbound_nodes: nodes }: Json): readonly (number | null)[] | undefined {
  const [node, another] = Array.isArray(nodes) ? nodes : [];
  if (another !== undefined) {
    return undefined;
  }
  const [tensor] = argumentsOf(node);
  const shape = isObject(built)
    ? built.input_shape
    : isObject(tensor) && isObject(tensor.config) && tensor.config.shape;
  return Array.isArray(shape) && shape.every((size) => size === null || typeof size === 'number') ? shape : undefined;
}

/** A class or an operation that only shares its name with a layer of tf.js is not that layer. */
function checkOrigin(layer: Json, name: string): void {
  const { class_name: given, module } = layer as { class_name: string; module?: unknown };
  if (isOperation(layer)) {
    return;
  }
  if (module === undefined || /^(tensorflow\.)?(tf_)?keras(_core)?(\.|$)/.test(String(module))) {
    return;
  }
  registerBuiltInLayers();
  const { classNameMap } = tf.serialization.SerializationMap.getMap();
  const registered = Object.hasOwn(classNameMap, given) ? classNameMap[given]![0] : undefined;
  if (registered !== undefined && (registered === classesOfTfjs[given] || isBuiltInLayer(registered))) {
    throw new Error(
      `layer '${name}' is of a class ${layer.registered_name ?? given} that is not Keras' own ${given}: --require a module that registers it ` +
        'with tf.serialization.registerClass.',
    );
  }
}

/** Whether tf.js, or this package, has an activation of that name. */
const isActivation = (name: string) =>
  Object.hasOwn(classesOfTfjs, name) || activations.some(({ className }) => className === name);

/** Classes of layers that work as an activation in tf.js too. */
const activationLayers = ['ReLU', 'LeakyReLU', 'ELU', 'ThresholdedReLU', 'Softmax'];

function plainValue(key: string, value: unknown, name: string, context: Context): unknown {
  if (key === 'unit_forget_bias' && !context.withInitializers) {
    // tf.js never frees what it makes that initial bias of.
    return false;
  }
  if (/_constraint$/.test(key)) {
    // A constraint holds after steps of training; tf.js would put the weights that it reads under it.
    return null;
  }
  if (!isObject(value)) {
    return value;
  }
  if (value.class_name === 'DTypePolicy' || key === 'dtype') {
    const policy = (value.config as Json | undefined)?.name;
    // Weights are float32 under mixed policies too, and tf.js computes with them.
    return typeof policy === 'string' && !policy.startsWith('mixed') ? policy : 'float32';
  }
  if (/activation$/.test(key)) {
    if (typeof value.config === 'string') {
      if (isActivation(activationInTfjs(value.config, context.isKeras3))) {
        // Keras writes those that it has itself as no more than their names.
        context.notes.push(
          `Layer '${name}' has as its ${key} a function of the name ${value.config}, whose code is not in the file: the reading is of ` +
            `${value.config} as Keras has it.`,
        );
      }
      return value.config;
    }
    if (!activationLayers.includes(value.class_name as string)) {
      throw new Error(
        `layer '${name}' has as its ${key} ${value.class_name ?? 'a function without a name'}, which tf.js does not know: make it a layer of its own.`,
      );
    }
    const { class_name, config } = layerOf(value, context);
    return { class_name, config };
  }
  if (/_initializer$/.test(key)) {
    const className = String(value.class_name).replace(/^OrthogonalInitializer$/, 'Orthogonal');
    return context.withInitializers ? { ...value, class_name: className } : { class_name: 'Zeros', config: {} };
  }
  if (/_regularizer$/.test(key)) {
    const config = (value.config ?? {}) as Json;
    return /^l[12]$/i.test(String(value.class_name))
      ? { class_name: 'L1L2', config: { l1: 0, l2: 0, ...config } }
      : value;
  }
  return value;
}

/** Of one input Keras 3 writes it bare, of inputs by name an object. */
function listOfEnds(ends: unknown): unknown {
  if (Array.isArray(ends)) {
    return typeof ends[0] === 'string' ? [ends] : ends;
  }
  return isObject(ends) ? Object.values(ends) : ends;
}

/** A call of a layer: lists of [layer, call, output, kwargs] in Keras 2 and tf.js. */
function nodeOf(node: unknown, layer: string, models: ReadonlySet<unknown>, isRandom: boolean): unknown {
  const isList = !isObject(node) || !Array.isArray(node.args);
  const inputs: unknown[] = isList && Array.isArray(node) ? node : [];
  const kwargsOf = (input: unknown) => (Array.isArray(input) && isObject(input[3]) ? input[3] : {});
  const kwargs = isList ? Object.assign({}, ...inputs.map(kwargsOf)) : ((node.kwargs ?? {}) as Json);
  // Keras 3 writes it with each layer that draws, and predicts without it. Arguments by their place: training is one of them.
  if ((kwargs.training === true && (isList || !isRandom)) || (!isList && (node.args as unknown[]).includes(true))) {
    throw new Error(
      `layer '${layer}' is called with training: true, which tf.js passes over where it predicts: build the model without it.`,
    );
  }
  if (isList) {
    return node;
  }
  const { initial_state, ...others } = kwargs;
  const called = [...tensorsOf(node.args), ...tensorsOf(initial_state)];
  const stranger = Object.entries(others).find(([, value]) => tensorsOf(value).length > 0);
  if (stranger !== undefined) {
    throw new Error(`layer '${layer}' is called with a tensor as ${stranger[0]}, which tf.js has no words for.`);
  }
  const plain = Object.fromEntries(Object.entries(others).filter(([key, value]) => key !== 'mask' && value !== null));
  return called.map((history, i) => [...callAsInTfjs(history, models), i === 0 ? plain : {}]);
}

/** In tf.js and Keras 2 a model's first call is the one that made it. */
function callAsInTfjs([layer, call, ...rest]: History, models: ReadonlySet<unknown>): unknown[] {
  return [layer, models.has(layer) ? Number(call) + 1 : call, ...rest];
}
