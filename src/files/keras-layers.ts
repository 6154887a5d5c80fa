import { keepingAxes } from './global-pooling.js';
import { isObject, type Json } from './json-text.js';
import { activationInTfjs } from './keras-activations.js';

/** A layer as Keras has written it. */
export interface Repair {
  readonly className: string;
  readonly config: Json;
  readonly name: string;
  readonly isKeras3: boolean;
  /** Shape of what goes in, the samples first, where the file says it. */
  readonly inputShape?: readonly (number | null)[];
  readonly notes: string[];
}

type RepairRule = typeof repair;

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

const activation: RepairRule = ({ config, isKeras3 }) => {
  if (config.activation === 'leaky_relu' && isKeras3) {
    config.alpha = 0.2;
    return 'LeakyReLU';
  }
  return undefined;
};

/** What all layers with an activation share. */
function repairActivations({ className, config, isKeras3 }: Repair): void {
  for (const key of ['activation', 'recurrent_activation']) {
    const name = config[key];
    if (name === 'leaky_relu' && isKeras3 && className !== 'Activation') {
      config[key] = { class_name: 'LeakyReLU', config: { alpha: 0.2 } };
    } else if (typeof name === 'string') {
      config[key] = activationInTfjs(name, isKeras3);
    }
  }
}

const isGrouped = ({ groups }: Json): boolean => typeof groups === 'number' && groups > 1;

const convolution: RepairRule = ({ config, name }) => {
  if (isGrouped(config)) {
    throw new Error(
      `layer '${name}' has groups: ${config.groups}, which tf.js passes over: build the model with a DepthwiseConv2D, or with a convolution ` +
        'for each group.',
    );
  }
  return undefined;
};

/** With as many groups as channels, what tf.js has as a class of its own; its kernel, [h, w, 1, C M], is [h, w, C, M] there. */
const convolution2d: RepairRule = (layer) => {
  const { config, inputShape } = layer;
  const {
    groups,
    filters,
    kernel_initializer: initializer,
  } = config as { [key: string]: unknown; groups: number; filters: number };
  const [strides, dilation] = [config.strides ?? 1, config.dilation_rate ?? 1].map((each) => [each].flat());
  const drawnByFans = /^(he|lecun|glorot|xavier|variance)/i.test(
    isObject(initializer) ? String(initializer.class_name) : String(initializer),
  );
  if (
    !isGrouped(config) ||
    groups !== inputShape?.at(-1) ||
    config.data_format === 'channels_first' ||
    new Set(strides).size > 1 ||
    dilation!.some((rate) => rate !== 1) ||
    drawnByFans
  ) {
    return convolution(layer);
  }
  for (const key of ['initializer', 'regularizer', 'constraint']) {
    config[`depthwise_${key}`] = config[`kernel_${key}`];
    delete config[`kernel_${key}`];
  }
  config.depth_multiplier = filters / groups;
  delete config.filters;
  delete config.groups;
  return 'DepthwiseConv2D';
};

const undilated: RepairRule = ({ config, name }) =>
  [config.dilation_rate].flat().some((rate) => typeof rate === 'number' && rate !== 1)
    ? refuse(name, `dilation_rate: ${config.dilation_rate}`)
    : undefined;

const transposed: RepairRule = (layer) =>
  isSet(layer.config.output_padding) ? refuse(layer.name, 'an output_padding') : undilated(layer);

const separable: RepairRule = (layer) => {
  for (const key of ['kernel_initializer', 'kernel_regularizer', 'kernel_constraint']) {
    delete layer.config[key];
  }
  return convolution(layer);
};

const globalPooling: RepairRule = ({ className, config }) =>
  isSet(config.keepdims) ? keepingAxes(className) : undefined;

/** Layers along steps, and those of volumes that this package has, take channels to be last. */
const channelsLast: RepairRule = ({ config, name }) =>
  config.data_format === 'channels_first' ? refuse(name, "data_format 'channels_first'") : undefined;

const globalPooling1d: RepairRule = (layer) => channelsLast(layer) ?? globalPooling(layer);

/** What is flat already, tf.js refuses. */
const flatten: RepairRule = (layer) => (layer.inputShape?.length === 2 ? nothing(layer) : undefined);

/** Of a shape with -1, tf.js leaves that open, which layers behind it do not take. */
const reshape: RepairRule = ({ config, inputShape }) => {
  const [target, given] = [config.target_shape, inputShape?.slice(1) ?? [null]];
  if (Array.isArray(target) && target.includes(-1) && given.every((size) => size !== null)) {
    const product = (sizes: readonly number[]) => sizes.reduce((all, size) => all * size, 1);
    const open = product(given as number[]) / -product(target);
    config.target_shape = target.map((size) => (size === -1 ? open : size));
  }
  return undefined;
};

const gru: RepairRule = (layer) => {
  if (layer.config.reset_after === true) {
    throw new Error(
      `layer '${layer.name}' has reset_after: true, which tf.js does not have: build the model with reset_after=False, and train it so.`,
    );
  }
  return recurrent(layer);
};

const recurrent: RepairRule = ({ config, name }) =>
  isSet(config.time_major) ? refuse(name, 'time_major: true') : undefined;

const bidirectional: RepairRule = ({ config, name }) => {
  const compared = (layer: unknown) => {
    const own = isObject(layer) && isObject(layer.config) ? layer.config : {};
    const { name: _name, go_backwards: _direction, ...others } = own;
    const entries = Object.entries(others).filter(
      ([key, value]) => value !== null && !/_initializer$|^seed$/.test(key),
    );
    return JSON.stringify([isObject(layer) && layer.class_name, entries.sort(([a], [b]) => (a < b ? -1 : 1))]);
  };
  return isObject(config.backward_layer) && compared(config.backward_layer) !== compared(config.layer)
    ? refuse(name, 'a backward_layer of its own')
    : undefined;
};

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
  return convolution(layer);
};

const normalized: RepairRule = ({ config, name }) =>
  isSet(config.renorm) || isSet(config.rms_scaling) ? refuse(name, 'renorm or rms_scaling') : undefined;

const repairs: Readonly<Record<string, RepairRule>> = {
  ReLU: relu,
  LeakyReLU: leakyRelu,
  Activation: activation,
  Identity: nothing,
  Flatten: flatten,
  Reshape: reshape,
  Resizing: misshapen,
  CenterCrop: misshapen,
  CategoryEncoding: misshapen,
  Conv1D: conv1d,
  Conv2D: convolution2d,
  Conv3D: convolution,
  Conv2DTranspose: transposed,
  Conv3DTranspose: transposed,
  DepthwiseConv2D: undilated,
  SeparableConv2D: separable,
  LSTM: recurrent,
  GRU: gru,
  GRUCell: gru,
  SimpleRNN: recurrent,
  RNN: recurrent,
  Bidirectional: bidirectional,
  MaxPooling1D: channelsLast,
  AveragePooling1D: channelsLast,
  GlobalAveragePooling1D: globalPooling1d,
  GlobalAveragePooling2D: globalPooling,
  GlobalAveragePooling3D: channelsLast,
  GlobalMaxPooling1D: globalPooling1d,
  GlobalMaxPooling2D: globalPooling,
  GlobalMaxPooling3D: channelsLast,
  ZeroPadding1D: channelsLast,
  Cropping1D: channelsLast,
  UpSampling1D: channelsLast,
  UpSampling2D: upSampling,
  BatchNormalization: normalized,
  LayerNormalization: normalized,
};

/**
 * Puts the configuration of one layer into words of tf.js, in place.
 *
 * @returns the class that tf.js has in the layer's place, where it is another.
 * @throws Error with one line for what tf.js would pass over.
 */
export function repair(layer: Repair): string | undefined {
  repairActivations(layer);
  return Object.hasOwn(repairs, layer.className) ? repairs[layer.className]!(layer) : undefined;
}
