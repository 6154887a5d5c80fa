import {
  activationLayer,
  eluLayer,
  leakyReluLayer,
  reluLayer,
  softmaxLayer,
  thresholdedReluLayer,
} from './activation.js';
import { averagePooling, averagePooling3d, globalAveragePooling } from './average-pooling.js';
import { batchNormalization } from './batch-normalization.js';
import { bidirectional } from './bidirectional.js';
import { convolution, transposedConvolution } from './convolution.js';
import { dense } from './dense.js';
import { depthwiseConvolution, separableConvolution } from './depthwise.js';
import { embedding } from './embedding.js';
import { generic } from './generic.js';
import { layerNormalization } from './layer-normalization.js';
import { masking } from './masking.js';
import { globalMaxPooling, maxPooling, maxPooling3d } from './max-pooling.js';
import { add, average, concatenate, dot, extremum, multiply } from './merge.js';
import type { Owner } from './operation.js';
import { prelu } from './prelu.js';
import { categoryEncoding, inFront, rescaling } from './preprocessing.js';
import { recurrent } from './recurrent.js';
import { type LayerRule, refused, type WiredRule } from './rule.js';
import { cropping, flatten, identity, permute, repeatVector, reshape, upSampling, zeroPadding } from './shape.js';
import { timeDistributed } from './time-distributed.js';

/**
 * How a layer class is measured.
 *
 * - `exact`: its own rule; the squared gradient norms of its weights in closed form.
 * - `delta`: it has no weights, and passes deltas on.
 * - `generic`: tf.js passes deltas through it, and its weights take one gradient for every sample and column.
 * - `unfolded`: its own layers take its place.
 * - `refused`: not measured; the message says why and what to do.
 */
export type LayerSupport = 'exact' | 'delta' | 'generic' | 'unfolded' | 'refused';

/** One row of the table of layers. */
export interface LayerAnswer {
  readonly support: LayerSupport;
  readonly rule: WiredRule;
  /** False where the wasm backend of tf.js lacks a kernel for the layer, or has a wrong one. */
  readonly wasm: boolean;
  /** What a user should know, in a few words. */
  readonly note?: string;
}

const answer =
  (support: LayerSupport) =>
  (rule: WiredRule, note?: string): LayerAnswer => ({ support, rule, wasm: true, note });

const exact = answer('exact');
const delta = answer('delta');
const unfolded = answer('unfolded')(identity);
const refuse = (note: string, reason: string) => answer('refused')(refused(reason), note);

/** A layer that the wasm backend lacks a kernel for, or has a wrong one. */
const notOnWasm = (answer: LayerAnswer): LayerAnswer => ({ ...answer, wasm: false });

const cell = refuse(
  'a cell works inside of a recurrent layer',
  'is a cell of a recurrent layer, not a layer of a network: pass it to tf.layers.rnn as its cell.',
);

/** How each layer class is measured, by its name in tf.js. A new layer is one file here and one line in this table. */
export const layerTable: Readonly<Record<string, LayerAnswer>> = {
  InputLayer: unfolded,
  Model: unfolded,
  Functional: unfolded,
  Sequential: unfolded,

  Dense: exact(dense, 'also on sequences'),
  Conv1D: exact(convolution, 'channels first: generic, and not on wasm'),
  Conv2D: exact(convolution),
  Conv3D: exact(convolution, 'dilated: tf.js has none on the native CPU backend'),
  Conv2DTranspose: exact(transposedConvolution),
  Conv3DTranspose: notOnWasm(exact(transposedConvolution)),
  DepthwiseConv2D: exact(depthwiseConvolution),
  SeparableConv2D: exact(separableConvolution, 'two kernels, each with a scale'),
  BatchNormalization: exact(batchNormalization, 'as in inference'),
  LayerNormalization: exact(layerNormalization, 'takes away the scale of its input'),
  Embedding: exact(embedding),
  PReLU: exact(prelu, 'alpha takes no part in the rescaling'),
  TimeDistributed: exact(
    timeDistributed(ruleOf),
    'as the layer inside, or those of a Sequential in which no mask begins; another model: generic',
  ),

  Activation: delta(activationLayer),
  ReLU: delta(reluLayer),
  LeakyReLU: delta(leakyReluLayer),
  ELU: delta(eluLayer),
  ThresholdedReLU: delta(thresholdedReluLayer),
  Softmax: delta(softmaxLayer),

  MaxPooling1D: delta(maxPooling),
  MaxPooling2D: delta(maxPooling),
  MaxPooling3D: notOnWasm(delta(maxPooling3d)),
  AveragePooling1D: delta(averagePooling),
  AveragePooling2D: delta(averagePooling),
  AveragePooling3D: delta(averagePooling3d),
  GlobalMaxPooling1D: delta(globalMaxPooling),
  GlobalMaxPooling2D: delta(globalMaxPooling),
  GlobalAveragePooling1D: delta(globalAveragePooling),
  GlobalAveragePooling2D: delta(globalAveragePooling),

  Add: delta(add),
  Average: delta(average),
  Maximum: delta(extremum),
  Minimum: delta(extremum),
  Concatenate: delta(concatenate),
  Multiply: delta(multiply, 'scales add up'),
  Dot: delta(dot, 'scales add up; normalized, it takes away the scales of its inputs'),

  Flatten: delta(flatten),
  Reshape: delta(reshape),
  Permute: delta(permute),
  RepeatVector: delta(repeatVector),
  ZeroPadding2D: delta(zeroPadding),
  Cropping2D: delta(cropping),
  UpSampling2D: delta(upSampling),

  Dropout: delta(identity, 'off, as in inference'),
  SpatialDropout1D: delta(identity, 'off, as in inference'),
  AlphaDropout: delta(identity, 'off, as in inference'),
  GaussianDropout: delta(identity, 'off, as in inference'),
  GaussianNoise: delta(identity, 'off, as in inference'),

  Rescaling: delta(rescaling),
  CategoryEncoding: delta(categoryEncoding, 'its input has no gradient; tf.js has none on the native backend'),
  CenterCrop: delta(inFront, 'in front of the first trained weights only'),
  Resizing: refuse(
    'tf.js cannot run it inside of a model',
    'cannot run inside of a model in tf.js 4: resize the images before, with tf.image.resizeBilinear.',
  ),
  RandomWidth: refuse(
    'draws at random in inference too',
    'draws a width at random in inference too, so that the model is not one function: measure a model without it.',
  ),

  SimpleRNN: exact(recurrent, 'with states in and out, and open lengths'),
  GRU: exact(recurrent, 'with states in and out, and open lengths'),
  LSTM: exact(recurrent, 'with states in and out, and open lengths'),
  RNN: exact(recurrent, 'of one of these cells, or of several; of cells of your own: generic'),
  ConvLSTM2D: notOnWasm(answer('generic')(recurrent)),
  Bidirectional: exact(bidirectional, 'with states in and out, and open lengths'),
  SimpleRNNCell: cell,
  GRUCell: cell,
  LSTMCell: cell,
  StackedRNNCells: cell,
  ConvLSTM2DCell: cell,

  Masking: delta(masking),
};

const registered = new Map<string, WiredRule>();

/**
 * Tells how layers of a class of your own are measured. Without a rule they go the generic way: tf.js passes deltas through
 * them, their weights take one gradient for every sample and column, and their scale is taken to be fixed. `measuredAsWhole`
 * does the same, with scales that you name. A later rule for the
 * same class replaces the earlier one; models that are being measured keep theirs.
 *
 * With N samples in a chunk and R columns of the output Hessian's factor at a time, deltas are [R * N, ...shape], column by
 * column. `squaredNorms` returns, for every weight, sum_r || d(c_r^T z_n) / d(weight) ||^2 as [N].
 *
 * @param className the static `className` of the layer class.
 * @param rule takes a built layer apart into operations.
 * @throws Error with one line when the name or the rule is none, or when the class is one of tf.js' own.
 *
 * @example
 * // y = gain * x, one gain a channel.
 * registerLayerRule('Gain', (layer, parameter) => {
 *   const { gain } = layer as Gain;
 *   const operation: Operation = {
 *     layer,
 *     description: 'Gain',
 *     scale: 'affine',
 *     piecewiseLinear: true,
 *     parameters: [parameter(gain, 'kernel')],
 *     forward: ([x]) => ({ output: tf.mul(x, gain.read()), saved: [x] }),
 *     backward: (_call, delta) => [tf.mul(delta, gain.read())],
 *     squaredNorms: (calls, columns) => {
 *       const gradients = calls.map(({ saved, delta }) => multiplyEachColumn(delta, saved[0], columns));
 *       return [biasSquaredNorm(joinPositions(gradients), columns)];
 *     },
 *   };
 *   return [operation];
 * });
 */
export function registerLayerRule(className: string, rule: LayerRule): void {
  if (typeof className !== 'string' || className === '') {
    throw new Error('registerLayerRule: the first argument is the className of a layer, a string.');
  }
  if (typeof rule !== 'function') {
    throw new Error(`registerLayerRule('${className}'): the second argument is a function that returns operations.`);
  }
  if (Object.hasOwn(layerTable, className)) {
    throw new Error(
      `registerLayerRule('${className}'): this class of tf.js has its rule. Give your class a className of its own.`,
    );
  }
  registered.set(className, rule);
}

/** Whether the class is one that the table knows, none of the user's. */
export const isOfTfjs = (layer: Owner) => Object.hasOwn(layerTable, layer.getClassName());

/** The rule of a layer class; classes that neither the table nor the user knows go the generic way. */
export function ruleOf(className: string): WiredRule {
  return (Object.hasOwn(layerTable, className) ? layerTable[className].rule : registered.get(className)) ?? generic;
}
