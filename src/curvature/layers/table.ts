import {
  activationLayer,
  eluLayer,
  leakyReluLayer,
  reluLayer,
  softmaxLayer,
  thresholdedReluLayer,
} from './activation.js';
import { batchNormalization } from './batch-normalization.js';
import { convolution } from './convolution.js';
import { dense } from './dense.js';
import { generic, weightless } from './generic.js';
import { add, concatenate, dot } from './merge.js';
import { averagePooling, globalAveragePooling, globalMaxPooling, maxPooling } from './pooling.js';
import type { LayerRule } from './rule.js';
import { flatten, identity, reshape, upSampling, zeroPadding } from './shape.js';

const homogeneous = weightless({ scale: 'ties', piecewiseLinear: true });

/** How each layer class is measured, by its name in tf.js. A new layer is one file here and one line in this table. */
const rules: Readonly<Record<string, LayerRule>> = {
  Dense: dense,
  Conv1D: convolution,
  Conv2D: convolution,
  BatchNormalization: batchNormalization,

  Activation: activationLayer,
  ReLU: reluLayer,
  LeakyReLU: leakyReluLayer,
  ELU: eluLayer,
  ThresholdedReLU: thresholdedReluLayer,
  Softmax: softmaxLayer,

  MaxPooling1D: maxPooling,
  MaxPooling2D: maxPooling,
  MaxPooling3D: homogeneous,
  AveragePooling1D: averagePooling,
  AveragePooling2D: averagePooling,
  AveragePooling3D: homogeneous,
  GlobalMaxPooling1D: globalMaxPooling,
  GlobalMaxPooling2D: globalMaxPooling,
  GlobalAveragePooling1D: globalAveragePooling,
  GlobalAveragePooling2D: globalAveragePooling,

  Add: add,
  Average: homogeneous,
  Maximum: homogeneous,
  Minimum: homogeneous,
  Concatenate: concatenate,
  Multiply: weightless({ scale: 'adds', piecewiseLinear: false }),
  Dot: dot,

  Flatten: flatten,
  Reshape: reshape,
  Permute: homogeneous,
  RepeatVector: homogeneous,
  ZeroPadding2D: zeroPadding,
  Cropping2D: homogeneous,
  UpSampling2D: upSampling,

  Dropout: identity,
  SpatialDropout1D: identity,
  AlphaDropout: identity,
  GaussianDropout: identity,
  GaussianNoise: identity,
};

/** The rule of a layer class; classes that the table does not know go the generic way. */
export function ruleOf(className: string): LayerRule {
  return rules[className] ?? generic;
}
