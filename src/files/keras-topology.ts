/**
 * What tf.js cannot read of the models that Keras writes, put into the words that it knows. Keras 3: shapes of inputs (`batch_shape`),
 * types as policies, calls as `__keras_tensor__`, `negative_slope`; Keras 2 and 3: what tf.js passes over in silence, a ReLU's slope
 * for one. What has no words in tf.js is refused.
 */

type Json = { [key: string]: unknown };

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

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
  const model = layerOf(structuredClone(topology), { notes, withInitializers, models: new Set() });
  return { model, notes };
}

interface Context {
  readonly notes: string[];
  readonly withInitializers: boolean;
  /** Names of the models among the layers beside this one. */
  readonly models: ReadonlySet<unknown>;
}

const isModelClass = (name: unknown) => ['Functional', 'Model', 'Sequential'].includes(name as string);

function layerOf(layer: Json, context: Context): Json {
  const given = layer.class_name as string;
  if (Array.isArray(layer.config)) {
    // A Sequential of old.
    return { ...layer, config: layer.config.map((each) => layerOf(each, context)) };
  }
  const config = isObject(layer.config) ? layer.config : {};
  const isKeras3 = typeof layer.module === 'string';
  const name = (config.name ?? layer.name ?? given) as string;
  const told = isKeras3 && isModelClass(given) ? { ...layer, class_name: given } : layer;
  for (const [key, value] of Object.entries(config)) {
    config[key] = plainValue(key, value, context);
  }
  if ('batch_shape' in config) {
    config.batch_input_shape = config.batch_shape;
    delete config.batch_shape;
  }
  if (Array.isArray(config.layers)) {
    const layers = config.layers as readonly Json[];
    const models = new Set(
      layers.filter((each) => isModelClass(each.class_name)).map((each) => (each.config as Json).name),
    );
    config.layers = layers.map((each) => layerOf(each, { ...context, models }));
    for (const ends of ['input_layers', 'output_layers']) {
      if (config[ends] !== undefined) {
        const list = listOfEnds(config[ends]);
        config[ends] =
          isKeras3 && Array.isArray(list) ? list.map((each) => callAsInTfjs(each as unknown[], models)) : list;
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
  const rule = repairs[given];
  if (/^keras\.(src\.)?ops\b/.test(String(layer.module)) && !(sameAsLayers.includes(given) && isOfTwo(layer))) {
    throw new Error(
      `'${name}' is the operation ${given} of keras.ops, which tf.js has no layer for: build the model with a layer, Add, Rescaling or Activation.`,
    );
  }
  const changed = rule?.({ config, name, isKeras3, notes: context.notes });
  const repaired: Json = { ...told, class_name: changed ?? given, config };
  if (Array.isArray(layer.inbound_nodes)) {
    repaired.inbound_nodes = layer.inbound_nodes.map((node) => nodeOf(node, name, context.models));
  }
  return repaired;
}

function plainValue(key: string, value: unknown, { withInitializers }: Context): unknown {
  if (!isObject(value)) {
    return value;
  }
  if (value.class_name === 'DTypePolicy' || key === 'dtype') {
    const policy = (value.config as Json | undefined)?.name;
    // Weights are float32 under mixed policies too, and tf.js computes with them.
    return typeof policy === 'string' && !policy.startsWith('mixed') ? policy : 'float32';
  }
  if (/activation$/.test(key)) {
    return typeof value.config === 'string' ? value.config : (value.class_name ?? value);
  }
  if (/_initializer$/.test(key)) {
    const className = String(value.class_name).replace(/^OrthogonalInitializer$/, 'Orthogonal');
    return withInitializers ? { ...value, class_name: className } : { class_name: 'Zeros', config: {} };
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
function nodeOf(node: unknown, layer: string, models: ReadonlySet<unknown>): unknown {
  if (!isObject(node) || !Array.isArray(node.args)) {
    return node;
  }
  const kwargs = (node.kwargs ?? {}) as Json;
  const { initial_state, ...others } = kwargs;
  const called = [...tensorsOf(node.args), ...tensorsOf(initial_state)];
  const stranger = Object.entries(others).find(([key, value]) => key !== 'mask' && tensorsOf(value).length > 0);
  if (stranger !== undefined) {
    throw new Error(`layer '${layer}' is called with a tensor as ${stranger[0]}, which tf.js has no words for.`);
  }
  const plain = Object.fromEntries(Object.entries(others).filter(([key, value]) => key !== 'mask' && value !== null));
  return called.map((history, i) => [...callAsInTfjs(history, models), i === 0 ? plain : {}]);
}

/** In tf.js and Keras 2 a model's first call is the one that made it. */
function callAsInTfjs([layer, call, ...rest]: readonly unknown[], models: ReadonlySet<unknown>): unknown[] {
  return [layer, models.has(layer) ? Number(call) + 1 : call, ...rest];
}

function tensorsOf(value: unknown): unknown[][] {
  if (Array.isArray(value)) {
    return value.flatMap(tensorsOf);
  }
  if (!isObject(value)) {
    return [];
  }
  const { keras_history } = (value.config ?? {}) as Json;
  return value.class_name === '__keras_tensor__' && Array.isArray(keras_history) ? [keras_history] : [];
}

/** Whether an operation is called on two tensors, and not on a tensor and a number. */
function isOfTwo({ inbound_nodes: nodes }: Json): boolean {
  return Array.isArray(nodes) && nodes.every((node) => isObject(node) && tensorsOf(node.args).length === 2);
}

interface Repair {
  readonly config: Json;
  readonly name: string;
  readonly isKeras3: boolean;
  readonly notes: string[];
}

/** Changes the configuration of a layer in place. @returns the class that tf.js has in its place, where it is another. */
type RepairRule = (layer: Repair) => string | undefined;

const refuse = (name: string, what: string): never => {
  throw new Error(`layer '${name}' has ${what}, which tf.js passes over: it would compute something else.`);
};

const isSet = (value: unknown) => value !== undefined && value !== null && value !== 0 && value !== false;

const relu: RepairRule = ({ config, name }) => {
  const { negative_slope: slope, threshold, max_value: max } = config;
  if (isSet(slope)) {
    if (isSet(threshold) || (max !== null && max !== undefined)) {
      refuse(name, 'a negative_slope beside a threshold or max_value');
    }
    config.alpha = slope;
    return 'LeakyReLU';
  }
  if (isSet(threshold)) {
    if (max !== null && max !== undefined) {
      refuse(name, 'a threshold beside a max_value');
    }
    config.theta = threshold;
    return 'ThresholdedReLU';
  }
  return undefined;
};

const leakyRelu: RepairRule = ({ config }) => {
  if (config.negative_slope !== undefined) {
    config.alpha = config.negative_slope;
  }
  return undefined;
};

const activation: RepairRule = (layer) => {
  if (layer.config.activation === 'leaky_relu' && layer.isKeras3) {
    layer.config.alpha = 0.2;
    return 'LeakyReLU';
  }
  return weighted(layer);
};

/** What layers with weights and an activation share. */
const weighted: RepairRule = ({ config, name, isKeras3 }) => {
  for (const key of ['activation', 'recurrent_activation']) {
    if (config[key] === 'silu') {
      config[key] = 'swish';
    }
    if (isKeras3 && config[key] === 'hard_sigmoid') {
      refuse(name, `Keras 3's ${key} hard_sigmoid, relu6(x + 3) / 6 and not that of tf.js`);
    }
  }
  if (typeof config.groups === 'number' && config.groups > 1) {
    refuse(name, `groups: ${config.groups}`);
  }
  return undefined;
};

const separable: RepairRule = (layer) => {
  for (const key of ['kernel_initializer', 'kernel_regularizer', 'kernel_constraint']) {
    delete layer.config[key];
  }
  return weighted(layer);
};

const globalPooling: RepairRule = ({ config, name }) =>
  isSet(config.keepdims) ? refuse(name, 'keepdims: true') : undefined;

const upSampling: RepairRule = ({ config, name, notes }) => {
  if (config.interpolation === 'bilinear') {
    notes.push(
      `Layer '${name}' is an UpSampling2D with bilinear interpolation, which tf.js computes otherwise than Keras: the reading is of what ` +
        'tf.js computes.',
    );
  }
  return undefined;
};

/** In tf.js the name is that of an initializer. */
const nothing: RepairRule = ({ config }) => {
  config.activation = 'linear';
  return 'Activation';
};

/** tf.js tells of an output shape that is not the layer's. */
const misshapen: RepairRule = ({ name }) => {
  throw new Error(
    `layer '${name}' is of a class that does not work in models of tf.js: prepare the data beforehand, and save the model without it.`,
  );
};

const conv1d: RepairRule = (layer) => {
  if (layer.config.padding === 'causal') {
    throw new Error(
      `layer '${layer.name}' has padding 'causal', which does not work in models of tf.js: put a ZeroPadding1D before it.`,
    );
  }
  return weighted(layer);
};

/** Operations on tensors that Keras 3 writes among the layers, and that are layers of tf.js where they are of two tensors. */
const sameAsLayers = ['Add', 'Multiply', 'Maximum', 'Minimum'];

const normalized: RepairRule = ({ config, name }) =>
  isSet(config.renorm) || isSet(config.rms_scaling) ? refuse(name, 'renorm or rms_scaling') : undefined;

const repairs: Readonly<Record<string, RepairRule>> = {
  ReLU: relu,
  LeakyReLU: leakyRelu,
  Activation: activation,
  Identity: nothing,
  Resizing: misshapen,
  CenterCrop: misshapen,
  CategoryEncoding: misshapen,
  Dense: weighted,
  Conv1D: conv1d,
  Conv2D: weighted,
  Conv3D: weighted,
  Conv2DTranspose: weighted,
  Conv3DTranspose: weighted,
  DepthwiseConv2D: weighted,
  SeparableConv2D: separable,
  LSTM: weighted,
  GRU: weighted,
  SimpleRNN: weighted,
  GlobalAveragePooling1D: globalPooling,
  GlobalAveragePooling2D: globalPooling,
  GlobalMaxPooling1D: globalPooling,
  GlobalMaxPooling2D: globalPooling,
  UpSampling2D: upSampling,
  BatchNormalization: normalized,
  LayerNormalization: normalized,
};
