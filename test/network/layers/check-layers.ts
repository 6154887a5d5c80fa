import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { squaredNorms } from '../../../src/network/backward.js';
import { unfold } from '../../../src/network/graph.js';
import { layerTable } from '../../../src/network/layers/table.js';
import { planSteps, record } from '../../../src/network/tape.js';
import { memoryGauge } from '../../../src/tfjs/memory-gauge.js';
import { lcg } from '../../measure/golden-network.js';
import type { Plain, PlainLayer } from './plain-layers.js';
import * as plain from './plain-layers.js';

const SAMPLES = 3;
const COLUMNS = 2;

/** A layer by its class and arguments, on inputs of these shapes; `integer` inputs run from 0 to that number. */
interface LayerCase {
  readonly name: string;
  readonly layer: () => tfl.layers.Layer;
  readonly shapes: number[][];
  readonly integer?: number;
  /** The layer in plain loops: gradients are then differences of these in float64, and tf.js has no say in them. */
  readonly plain?: PlainLayer;
  /** Backends on which tf.js computes the layer's output wrong: only the plain loops judge there. */
  readonly wrongInTfjs?: readonly string[];
  /** The layer is called on each of two inputs, and its outputs are added. */
  readonly twice?: boolean;
}

const image = [[6, 5, 2]];
function one(
  name: string,
  layer: () => tfl.layers.Layer,
  shapes: number[][],
  more: Pick<LayerCase, 'integer' | 'plain' | 'wrongInTfjs'> = {},
): LayerCase {
  return { name, layer, shapes, ...more };
}

const { layers } = tfl;

const cases: LayerCase[] = [
  one('masking', () => layers.masking({ maskValue: 0 }), [[3, 2]], { plain: plain.masking }),
  one('masking of another value', () => layers.masking({ maskValue: 0.5 }), [[3, 2]], { plain: plain.masking }),
  one('dense', () => layers.dense({ units: 4, biasInitializer: 'randomNormal' }), [[5]]),
  one('dense without bias', () => layers.dense({ units: 4, useBias: false }), [[5]]),
  one('dense on a sequence', () => layers.dense({ units: 4, activation: 'relu' }), [[3, 5]], { plain: plain.dense }),
  one('dense, tanh', () => layers.dense({ units: 4, activation: 'tanh' }), [[5]]),
  one('dense, softmax', () => layers.dense({ units: 4, activation: 'softmax' }), [[5]]),
  one('conv2d valid', () => layers.conv2d({ filters: 3, kernelSize: [2, 3] }), image, { plain: plain.convolution }),
  one('conv2d same, stride 2', () => layers.conv2d({ filters: 3, kernelSize: 3, strides: 2, padding: 'same' }), image, {
    plain: plain.convolution,
  }),
  one(
    'conv2d valid, stride 2 that leaves a rest',
    () => layers.conv2d({ filters: 3, kernelSize: 2, strides: [2, 3] }),
    image,
    { plain: plain.convolution },
  ),
  one('conv2d dilated', () => layers.conv2d({ filters: 3, kernelSize: [2, 3], dilationRate: 2 }), image, {
    plain: plain.convolution,
  }),
  one('conv2d 1x1', () => layers.conv2d({ filters: 3, kernelSize: 1, useBias: false }), image, {
    plain: plain.convolution,
  }),
  one(
    'conv2d channels first',
    () => layers.conv2d({ filters: 3, kernelSize: 2, strides: [1, 2], dataFormat: 'channelsFirst' }),
    [[2, 5, 4]],
    { plain: plain.withChannelsFirst(plain.convolution) },
  ),
  one(
    'conv1d',
    () => layers.conv1d({ filters: 3, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu' }),
    [[7, 2]],
    {
      plain: plain.convolution,
    },
  ),
  one('conv1d dilated', () => layers.conv1d({ filters: 3, kernelSize: 2, dilationRate: 3 }), [[7, 2]], {
    plain: plain.convolution,
  }),
  one('conv1d channels first', () => layers.conv1d({ filters: 4, kernelSize: 2, dataFormat: 'channelsFirst' }), [
    [2, 5],
  ]),
  one('conv3d', () => layers.conv3d({ filters: 3, kernelSize: [2, 3, 2] }), [[4, 3, 4, 2]], {
    plain: plain.convolution,
  }),
  one(
    'conv3d same, strides, relu',
    () => layers.conv3d({ filters: 2, kernelSize: [3, 2, 2], strides: [2, 1, 2], padding: 'same', activation: 'relu' }),
    [[4, 3, 5, 2]],
    { plain: plain.convolution },
  ),
  one('conv3d dilated', () => layers.conv3d({ filters: 2, kernelSize: 2, dilationRate: [2, 1, 3] }), [[4, 3, 5, 2]], {
    plain: plain.convolution,
  }),
  one(
    'conv3d channels first',
    () => layers.conv3d({ filters: 2, kernelSize: 2, dataFormat: 'channelsFirst' }),
    [[2, 3, 3, 4]],
    { plain: plain.withChannelsFirst(plain.convolution) },
  ),
  one('conv2dTranspose', () => layers.conv2dTranspose({ filters: 3, kernelSize: [3, 2] }), [[3, 4, 2]], {
    plain: plain.transposedConvolution,
  }),
  one(
    'conv2dTranspose same, strides, relu',
    () => layers.conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu' }),
    [[3, 4, 2]],
    { plain: plain.transposedConvolution },
  ),
  one(
    'conv2dTranspose valid, stride beyond the kernel',
    () => layers.conv2dTranspose({ filters: 3, kernelSize: 2, strides: [3, 2], useBias: false }),
    [[3, 2, 2]],
    { plain: plain.transposedConvolution },
  ),
  one(
    'conv2dTranspose channels first',
    () => layers.conv2dTranspose({ filters: 3, kernelSize: 2, strides: 2, dataFormat: 'channelsFirst' }),
    [[2, 3, 2]],
    { plain: plain.withChannelsFirst(plain.transposedConvolution) },
  ),
  one(
    'conv3dTranspose',
    () => layers.conv3dTranspose({ filters: 2, kernelSize: 2, strides: [1, 2, 2] }),
    [[2, 3, 2, 2]],
    {
      plain: plain.transposedConvolution,
    },
  ),
  one(
    'conv3dTranspose same',
    () => layers.conv3dTranspose({ filters: 2, kernelSize: [3, 2, 3], strides: [2, 1, 2], padding: 'same' }),
    [[2, 3, 2, 2]],
    { plain: plain.transposedConvolution },
  ),
  one('depthwiseConv2d', () => layers.depthwiseConv2d({ kernelSize: 2 }), image, { plain: plain.depthwiseConvolution }),
  one(
    'depthwiseConv2d same, stride, multiplier, relu',
    () =>
      layers.depthwiseConv2d({ kernelSize: 3, strides: 2, depthMultiplier: 3, padding: 'same', activation: 'relu' }),
    image,
    { plain: plain.depthwiseConvolution },
  ),
  one(
    'depthwiseConv2d, stride that leaves a rest, no bias',
    () => layers.depthwiseConv2d({ kernelSize: [2, 1], strides: 3, useBias: false }),
    [[6, 8, 2]],
    { plain: plain.depthwiseConvolution },
  ),
  one(
    'depthwiseConv2d channels first',
    () => layers.depthwiseConv2d({ kernelSize: [2, 3], dataFormat: 'channelsFirst' }),
    [[2, 4, 5]],
    { plain: plain.withChannelsFirst(plain.depthwiseConvolution) },
  ),
  one('separableConv2d', () => layers.separableConv2d({ filters: 3, kernelSize: 2 }), image, {
    plain: plain.separableConvolution,
  }),
  one(
    'separableConv2d same, stride, multiplier, relu',
    () =>
      layers.separableConv2d({
        filters: 3,
        kernelSize: 3,
        strides: 2,
        depthMultiplier: 2,
        padding: 'same',
        activation: 'relu',
      }),
    image,
    { plain: plain.separableConvolution },
  ),
  one(
    'separableConv2d dilated',
    () =>
      layers.separableConv2d({ filters: 2, kernelSize: 2, dilationRate: [2, 3], depthMultiplier: 2, useBias: false }),
    image,
    { plain: plain.separableConvolution },
  ),
  one(
    'batch normalization',
    () => layers.batchNormalization({ gammaInitializer: 'randomNormal', movingMeanInitializer: 'randomNormal' }),
    image,
  ),
  one('batch normalization on another axis', () => layers.batchNormalization({ axis: 1 }), image, {
    plain: plain.batchNormalization,
    wrongInTfjs: ['cpu', 'wasm'],
  }),
  one('batch normalization without scale', () => layers.batchNormalization({ scale: false }), [[5]], {
    plain: plain.batchNormalization,
  }),
  one('batch normalization without center', () => layers.batchNormalization({ center: false }), [[5]], {
    plain: plain.batchNormalization,
  }),
  one('layer normalization', () => layers.layerNormalization({ gammaInitializer: 'randomNormal' }), [[5]], {
    plain: plain.layerNormalization,
  }),
  one(
    'layer normalization on a sequence',
    () => layers.layerNormalization({ gammaInitializer: 'randomNormal', epsilon: 0.1 }),
    [[3, 5]],
    { plain: plain.layerNormalization },
  ),
  one(
    'layer normalization over other axes',
    () => layers.layerNormalization({ axis: [3, 1], gammaInitializer: 'randomNormal' }),
    [[3, 4, 2]],
    { plain: plain.layerNormalization },
  ),
  one('layer normalization without scale', () => layers.layerNormalization({ scale: false }), [[3, 5]], {
    plain: plain.layerNormalization,
  }),
  one('layer normalization without center', () => layers.layerNormalization({ center: false }), [[3, 5]], {
    plain: plain.layerNormalization,
  }),
  one('layer normalization alone', () => layers.layerNormalization({ center: false, scale: false }), [[3, 5]], {
    plain: plain.layerNormalization,
  }),
  one('PReLU', () => layers.prelu({ alphaInitializer: 'randomNormal' }), [[5]], { plain: plain.prelu }),
  one('PReLU, shared', () => layers.prelu({ alphaInitializer: 'randomNormal', sharedAxes: [1, 2] }), image, {
    plain: plain.prelu,
  }),
  one('embedding', () => layers.embedding({ inputDim: 7, outputDim: 3 }), [[4]], {
    integer: 7,
    plain: plain.embedding,
  }),
  one('embedding of few tokens many times', () => layers.embedding({ inputDim: 3, outputDim: 2 }), [[3, 4]], {
    integer: 3,
    plain: plain.embedding,
  }),
  one('embedding of trained numbers', () => layers.embedding({ inputDim: 3, outputDim: 2 }), [[4]], {
    plain: plain.embedding,
  }),
  one('dense at every time step', () => layers.timeDistributed({ layer: layers.dense({ units: 3 }) }), [[4, 2]], {
    plain: plain.timeDistributed(plain.dense),
  }),
  one(
    'convolution at every time step',
    () => layers.timeDistributed({ layer: layers.conv2d({ filters: 2, kernelSize: 2, activation: 'relu' }) }),
    [[3, 3, 4, 2]],
    { plain: plain.timeDistributed(plain.convolution) },
  ),
  one(
    'separable convolution at every time step',
    () => layers.timeDistributed({ layer: layers.separableConv2d({ filters: 2, kernelSize: 2 }) }),
    [[3, 3, 4, 2]],
    { plain: plain.timeDistributed(plain.separableConvolution) },
  ),
  one(
    'layer normalization at every time step',
    () => layers.timeDistributed({ layer: layers.layerNormalization({}) }),
    [[4, 3]],
    {
      plain: plain.timeDistributed(plain.layerNormalization),
    },
  ),
  one(
    'LSTM at every time step',
    () => layers.timeDistributed({ layer: layers.lstm({ units: 2, recurrentInitializer: 'glorotNormal' }) }),
    [[2, 3, 2]],
    { plain: plain.timeDistributed(plain.recurrent(plain.lstmCell, 2)) },
  ),
  one(
    'a model at every time step',
    () =>
      layers.timeDistributed({
        layer: tfl.sequential({ layers: [layers.dense({ units: 2, inputShape: [3] })] }) as unknown as tfl.layers.Layer,
      }),
    [[4, 3]],
    { plain: plain.timeDistributed(plain.dense) },
  ),
  one(
    'simple RNN',
    () => layers.simpleRNN({ units: 3, recurrentInitializer: 'glorotNormal', biasInitializer: 'randomNormal' }),
    [[4, 2]],
    { plain: plain.recurrent(plain.simpleCell, 1) },
  ),
  one(
    'GRU',
    () => layers.gru({ units: 3, recurrentInitializer: 'glorotNormal', biasInitializer: 'randomNormal' }),
    [[4, 2]],
    { plain: plain.recurrent(plain.gruCell, 1) },
  ),
  one(
    'RNN of a cell',
    () =>
      layers.rnn({
        cell: layers.simpleRNNCell({ units: 3, recurrentInitializer: 'glorotNormal' }),
      }) as tfl.layers.Layer,
    [[4, 2]],
    { plain: plain.recurrent(plain.simpleCell, 1) },
  ),
  one(
    'Bidirectional LSTM',
    () =>
      layers.bidirectional({
        layer: layers.lstm({ units: 2, recurrentInitializer: 'glorotNormal', returnSequences: true }) as tfl.RNN,
        mergeMode: 'concat',
      }),
    [[4, 2]],
  ),
  ...(['concat', 'sum', 'ave', 'mul'] as const).map((mergeMode) =>
    one(
      `Bidirectional GRU, ${mergeMode}, backwards first`,
      () =>
        layers.bidirectional({
          layer: layers.gru({ units: 2, recurrentInitializer: 'glorotNormal', goBackwards: true }) as tfl.RNN,
          mergeMode,
        }),
      [[4, 2]],
    ),
  ),
  one(
    'Bidirectional GRU, sum of sequences, backwards first',
    () =>
      layers.bidirectional({
        layer: layers.gru({
          units: 2,
          recurrentInitializer: 'glorotNormal',
          goBackwards: true,
          returnSequences: true,
        }) as tfl.RNN,
        mergeMode: 'sum',
      }),
    [[4, 2]],
  ),
  one(
    'LSTM, backwards, sequences, no bias',
    () =>
      layers.lstm({
        units: 3,
        recurrentInitializer: 'glorotNormal',
        goBackwards: true,
        returnSequences: true,
        useBias: false,
        recurrentActivation: 'sigmoid',
      }),
    [[4, 2]],
  ),
  one(
    'simple RNN, softmax',
    () => layers.simpleRNN({ units: 3, recurrentInitializer: 'glorotNormal', activation: 'softmax' }),
    [[4, 2]],
  ),
  one(
    'simple RNN, linear',
    () => layers.simpleRNN({ units: 3, recurrentInitializer: 'glorotNormal', activation: 'linear' }),
    [[4, 2]],
  ),
  one(
    'RNN of two cells',
    () =>
      layers.rnn({
        cell: [
          layers.simpleRNNCell({ units: 3, recurrentInitializer: 'glorotNormal' }),
          layers.gruCell({ units: 2, recurrentInitializer: 'glorotNormal' }),
        ],
      }) as tfl.layers.Layer,
    [[4, 2]],
  ),
  one(
    'ConvLSTM2D',
    () => layers.convLstm2d({ filters: 2, kernelSize: 2, recurrentInitializer: 'glorotNormal' }) as tfl.layers.Layer,
    [[2, 3, 4, 2]],
  ),
  one('LSTM', () => layers.lstm({ units: 3, recurrentInitializer: 'glorotNormal' }), [[4, 2]], {
    plain: plain.recurrent(plain.lstmCell, 2),
  }),
  one('ReLU', () => layers.reLU(), [[5]]),
  one('ReLU up to 0.5', () => layers.reLU({ maxValue: 0.5 }), [[5]]),
  one('LeakyReLU', () => layers.leakyReLU({ alpha: 0.3 }), [[5]]),
  one('ELU', () => layers.elu(), [[5]]),
  one('ThresholdedReLU', () => layers.thresholdedReLU({ theta: 0.2 }), [[5]], {
    plain: plain.merge(([x]) => (x! > 0.2 ? x! : 0)),
  }),
  one('Softmax', () => layers.softmax({ axis: -1 }), [[5]], { plain: plain.softmax }),
  one('Softmax of positions', () => layers.softmax({ axis: 2 }), [[4, 3]], { plain: plain.softmax }),
  one('softmax activation of positions', () => layers.activation({ activation: 'softmax' }), [[4, 3]], {
    plain: plain.softmax,
  }),
  ...(
    [
      'relu6',
      'sigmoid',
      'hardSigmoid',
      'softplus',
      'softsign',
      'selu',
      'elu',
      'swish',
      'mish',
      'gelu',
      'logSoftmax',
    ] as const
  ).map((activation) =>
    one(`${activation} activation`, () => layers.activation({ activation: activation as 'relu' }), [[5]]),
  ),
  one('max pooling', () => layers.maxPooling2d({ poolSize: 2 }), image, { plain: plain.pooling(plain.largest) }),
  one('max pooling 3d', () => layers.maxPooling3d({ poolSize: [2, 3, 2] }), [[4, 6, 5, 2]], {
    plain: plain.pooling(plain.largest),
  }),
  one(
    'max pooling 3d, overlapping, same',
    () => layers.maxPooling3d({ poolSize: 3, strides: 2, padding: 'same' }),
    [[4, 6, 5, 2]],
    {
      plain: plain.pooling(plain.largest),
    },
  ),
  one(
    'max pooling 3d channels first',
    () => layers.maxPooling3d({ poolSize: 2, dataFormat: 'channelsFirst' }),
    [[2, 4, 2, 3]],
    {
      plain: plain.withChannelsFirst(plain.pooling(plain.largest)),
    },
  ),
  one('average pooling 3d', () => layers.averagePooling3d({ poolSize: [1, 2, 2] }), [[4, 6, 5, 2]], {
    plain: plain.pooling(plain.mean),
  }),
  one(
    'average pooling 3d, overlapping, same',
    () => layers.averagePooling3d({ poolSize: 3, strides: 2, padding: 'same' }),
    [[4, 6, 5, 2]],
    { plain: plain.pooling(plain.mean) },
  ),
  one('max pooling 3x3', () => layers.maxPooling2d({ poolSize: 3, padding: 'same' }), image, {
    plain: plain.pooling(plain.largest),
  }),
  one('max pooling same', () => layers.maxPooling2d({ poolSize: [4, 2], padding: 'same' }), image, {
    plain: plain.pooling(plain.largest),
  }),
  one('max pooling, overlapping', () => layers.maxPooling2d({ poolSize: 3, strides: 1 }), image, {
    plain: plain.pooling(plain.largest),
  }),
  one('max pooling, wider than upsampling is exact', () => layers.maxPooling1d({ poolSize: 9 }), [[20, 2]], {
    plain: plain.pooling(plain.largest),
  }),
  one('max pooling 1d', () => layers.maxPooling1d({ poolSize: 3 }), [[8, 2]], { plain: plain.pooling(plain.largest) }),
  one(
    'max pooling, overlapping, stride 2, same',
    () => layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
    image,
    { plain: plain.pooling(plain.largest) },
  ),
  one('max pooling, stride beyond the window', () => layers.maxPooling2d({ poolSize: 2, strides: 3 }), image, {
    plain: plain.pooling(plain.largest),
  }),
  one(
    'max pooling channels first',
    () => layers.maxPooling2d({ poolSize: 2, dataFormat: 'channelsFirst' }),
    [[2, 6, 5]],
    {
      plain: plain.withChannelsFirst(plain.pooling(plain.largest)),
    },
  ),
  one('global average pooling channels first', () => layers.globalAveragePooling2d({ dataFormat: 'channelsFirst' }), [
    [2, 6, 5],
  ]),
  one('average pooling', () => layers.averagePooling2d({ poolSize: 2 }), image),
  one(
    'average pooling same, overlapping',
    () => layers.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
    image,
    { plain: plain.pooling(plain.mean) },
  ),
  one('average pooling same, separate', () => layers.averagePooling2d({ poolSize: [4, 2], padding: 'same' }), image, {
    plain: plain.pooling(plain.mean),
  }),
  one('average pooling 1d', () => layers.averagePooling1d({ poolSize: 2 }), [[7, 2]]),
  one(
    'average pooling channels first',
    () => layers.averagePooling2d({ poolSize: 2, padding: 'same', dataFormat: 'channelsFirst' }),
    [[2, 6, 4]],
  ),
  one('global average pooling', () => layers.globalAveragePooling2d({}), image),
  one('global average pooling 1d', () => layers.globalAveragePooling1d(), [[7, 2]]),
  one('global max pooling', () => layers.globalMaxPooling2d({}), image),
  one('global max pooling 1d', () => layers.globalMaxPooling1d({}), [[7, 2]]),
  one('global max pooling channels first', () => layers.globalMaxPooling2d({ dataFormat: 'channelsFirst' }), [
    [2, 6, 5],
  ]),
  one('flatten', () => layers.flatten(), image),
  one('flatten channels first', () => layers.flatten({ dataFormat: 'channelsFirst' }), image, {
    plain: plain.flattenChannelsFirst,
  }),
  one('reshape', () => layers.reshape({ targetShape: [5, 12] }), image),
  one('permute', () => layers.permute({ dims: [2, 3, 1] }), image, { plain: plain.permute }),
  one('repeat', () => layers.repeatVector({ n: 3 }), [[5]], { plain: plain.repeatVector }),
  one(
    'zero padding',
    () =>
      layers.zeroPadding2d({
        padding: [
          [1, 2],
          [0, 3],
        ],
      }),
    image,
  ),
  one(
    'cropping',
    () =>
      layers.cropping2D({
        cropping: [
          [1, 2],
          [0, 3],
        ],
      }),
    image,
    { plain: plain.cropping },
  ),
  one(
    'cropping channels first',
    () =>
      layers.cropping2D({
        cropping: [
          [1, 0],
          [1, 2],
        ],
        dataFormat: 'channelsFirst',
      }),
    [[2, 3, 5]],
    { plain: plain.withChannelsFirst(plain.cropping) },
  ),
  one('zero padding channels first', () => layers.zeroPadding2d({ padding: 1, dataFormat: 'channelsFirst' }), [
    [2, 3, 3],
  ]),
  one('upsampling', () => layers.upSampling2d({ size: [2, 3] }), image, { plain: plain.upSampling }),
  one('upsampling, bilinear', () => layers.upSampling2d({ size: [2, 3], interpolation: 'bilinear' }), image, {
    plain: plain.upSampling,
  }),
  one(
    'upsampling channels first',
    () => layers.upSampling2d({ size: [2, 2], dataFormat: 'channelsFirst' }),
    [[2, 3, 2]],
    {
      plain: plain.withChannelsFirst(plain.upSampling),
    },
  ),
  one('rescaling', () => layers.rescaling({ scale: 3, offset: 0.5 }), [[5]], {
    plain: plain.merge(([x]) => 3 * x! + 0.5),
  }),
  one('dropout', () => layers.dropout({ rate: 0.5 }), [[5]]),
  one('spatial dropout', () => layers.spatialDropout1d({ rate: 0.5 }), [[4, 3]]),
  one('alpha dropout', () => layers.alphaDropout({ rate: 0.5 }), [[5]]),
  one('gaussian dropout', () => layers.gaussianDropout({ rate: 0.5 }), [[5]]),
  one(
    'category encoding of trained numbers',
    () => layers.categoryEncoding({ numTokens: 3, outputMode: 'multiHot' }),
    [[5]],
    {
      plain: plain.multiHot,
    },
  ),
  one('gaussian noise', () => layers.gaussianNoise({ stddev: 1 }), [[5]]),
  one('add', () => layers.add(), [[5], [5], [5]]),
  one('add, broadcast', () => layers.add(), [
    [4, 5],
    [1, 5],
  ]),
  ...(
    [
      ['add', layers.add, (v) => v.reduce((a, b) => a + b)],
      ['average', layers.average, (v) => v.reduce((a, b) => a + b) / v.length],
      ['maximum', layers.maximum, (v) => Math.max(...v)],
      ['minimum', layers.minimum, (v) => Math.min(...v)],
      ['multiply', layers.multiply, (v) => v.reduce((a, b) => a * b)],
    ] as [string, () => tfl.layers.Layer, (values: number[]) => number][]
  ).flatMap(([name, layer, combine]) => [
    one(`${name} of three`, layer, [[5], [5], [5]], { plain: plain.merge(combine) }),
    one(
      `${name}, broadcast over positions and channels`,
      layer,
      [
        [4, 3],
        [1, 3],
        [4, 1],
      ],
      { plain: plain.merge(combine) },
    ),
    one(`${name}, of different ranks`, layer, [[4, 3], [3]], { plain: plain.merge(combine) }),
  ]),
  one('concatenate', () => layers.concatenate(), [[5], [3]]),
  one('concatenate along axis 1', () => layers.concatenate({ axis: 1 }), [
    [2, 3, 1],
    [4, 3, 1],
  ]),
  ...(
    [
      [1, [5], [5]],
      [-1, [5], [5]],
      [1, [4, 2], [4, 3]],
      [2, [2, 4], [3, 4]],
      [
        [1, 2],
        [4, 2],
        [3, 4],
      ],
      [
        [2, 1],
        [2, 4],
        [4, 3],
      ],
      [[2, 1], [2, 4], [4]],
      [[1, 1], [4, 2], [4]],
      [[1, 2], [4], [3, 4]],
      [[1, 1], [4], [4, 3]],
    ] as [number | [number, number], number[], number[]][]
  ).flatMap(([axes, x, y]) => {
    const pair = [axes].flat().length === 1 ? [axes, axes] : axes;
    const [a, b] = [x, y].map(
      (shape, i) => (pair as number[])[i]! + ((pair as number[])[i]! < 0 ? shape.length + 1 : 0),
    );
    return [
      one(`dot, axes ${axes} of [${x}] and [${y}]`, () => layers.dot({ axes }), [x, y], { plain: plain.dot([a!, b!]) }),
    ];
  }),
  one('dot, normalized', () => layers.dot({ axes: [2, 1], normalize: true }), [[2, 4], [4]], {
    plain: plain.dot([2, 1], true),
  }),
];

/**
 * The layer above one dense layer an input, so that deltas have to pass through it, against gradients that tf.js takes for
 * one sample and one column at a time.
 */
async function check({
  layer: make,
  shapes,
  integer,
  plain: plainLayer,
  twice,
  wrongInTfjs,
}: LayerCase): Promise<void> {
  const below = integer === undefined;
  const inputs = shapes.map((shape) => tfl.input({ shape }));
  const trunk = inputs.map((x, i) => (below ? affineBelow(x, `below${i}`) : x));
  const layer = make();
  const output = twice
    ? (layers.add().apply(trunk.map((x) => layer.apply(x) as tfl.SymbolicTensor)) as tfl.SymbolicTensor)
    : (layer.apply(trunk.length === 1 ? trunk[0] : trunk) as tfl.SymbolicTensor);
  const model = tfl.model({ inputs, outputs: output });
  // The same numbers in every run: some would stand too near to a kink for float32.
  layer.weights.forEach((weight, i) => {
    const isVariance = weight.originalName.endsWith('moving_variance');
    const shape = weight.shape as number[];
    const u = lcg(
      20 + i,
      shape.reduce((a, b) => a * b, 1),
    );
    tf.tidy(() => {
      weight.write(
        tf.tensor(
          u.map((v) => (isVariance ? 0.5 + v : 1.4 * v - 0.7)),
          shape,
        ),
      );
    });
  });
  const xs = shapes.map((shape, i) =>
    tf.tidy(() => {
      const x = tf.randomUniform([SAMPLES, ...shape], integer ? 0 : -1, integer ?? 1, 'float32', 5 + i);
      return integer ? tf.floor(x) : x;
    }),
  );
  const [, ...outputShape] = output.shape as number[];
  const delta = tf.randomNormal([SAMPLES * COLUMNS, ...outputShape], 0, 1, 'float32', 9);
  const before = tf.memory().numTensors;

  const graph = unfold(model);
  const plan = planSteps(graph);
  const gauge = memoryGauge();
  const tape = record(graph, plan, xs, gauge);
  const outputs = tape.outputs[0].dataSync();
  const norms = squaredNorms(graph, plan, tape, new Map([[0, delta.clone()]]), COLUMNS, gauge);
  const found = new Map([...norms].map(([parameter, norm]) => [parameter.name, [...norm.dataSync()]]));
  tf.dispose([...norms.values()]);
  tape.dispose();
  expect(tf.memory().numTensors).toBe(before);

  // The same function as the model's.
  if (!wrongInTfjs?.includes(tf.getBackend())) {
    const predicted = tf.tidy(() => (model.predict(xs) as tf.Tensor).dataSync());
    expect(outputs.length).toBe(predicted.length);
    for (const [i, y] of predicted.entries()) {
      expect(Math.abs(outputs[i]! - y)).toBeLessThan(1e-5 * Math.max(1, Math.abs(y)));
    }
  }

  const weights = model.trainableWeights;
  expect([...found.keys()].sort()).toEqual(weights.map((weight) => weight.originalName).sort());
  for (let n = 0; n < SAMPLES; n++) {
    const expected = plainLayer
      ? normsFromDifferences(plainLayer, layer, model, xs, delta, n, outputs)
      : normsFromTfjs(model, xs, delta, n);
    for (const [name, value] of expected) {
      const actual = found.get(name)?.[n] as number;
      expect(Math.abs(actual - value), `${name}, sample ${n}: ${actual} for ${value}`).toBeLessThan(
        1e-4 * value + 1e-6,
      );
    }
  }
  tf.dispose([...xs, delta]);
  model.dispose();
}

/** Batch normalization, which tf.js has for tensors of up to four axes. */
function affineBelow(x: tfl.SymbolicTensor, name: string): tfl.SymbolicTensor {
  const through = (y: tfl.SymbolicTensor, layer: tfl.layers.Layer) => layer.apply(y) as tfl.SymbolicTensor;
  const shape = x.shape.slice(1) as number[];
  // What follows gets a shape of its own: some layers of tf.js write into the shape of their input.
  if (shape.length < 4) {
    return through(through(x, layers.batchNormalization({ name })), layers.reshape({ targetShape: shape }));
  }
  const channels = shape[shape.length - 1]!;
  const flat = through(x, layers.reshape({ targetShape: [shape.reduce((a, b) => a * b) / channels, channels] }));
  return through(through(flat, layers.batchNormalization({ name })), layers.reshape({ targetShape: shape }));
}

/** Squared gradient norms of one sample, from the gradients that tf.js takes for one column at a time. */
function normsFromTfjs(model: tfl.LayersModel, xs: tf.Tensor[], delta: tf.Tensor, n: number): Map<string, number> {
  const expected = new Map<string, number>();
  for (let r = 0; r < COLUMNS; r++) {
    tf.tidy(() => {
      const loss = () => {
        const sample = xs.map((x) => tf.slice(x, n, 1));
        const z = model.apply(sample) as tf.Tensor;
        return tf.sum(tf.mul(z, tf.slice(delta, r * SAMPLES + n, 1))) as tf.Scalar;
      };
      const weights = model.trainableWeights;
      const { grads } = tf.variableGrads(
        loss,
        weights.map((weight) => (weight as unknown as { val: tf.Variable }).val),
      );
      for (const weight of weights) {
        const gradient = grads[(weight as unknown as { val: tf.Variable }).val.name];
        const square = gradient ? tf.sum(tf.square(gradient)).dataSync()[0] : 0;
        expected.set(weight.originalName, (expected.get(weight.originalName) ?? 0) + square);
      }
    });
  }
  return expected;
}

/** Squared gradient norms of one sample, from central differences of the layer in plain loops. */
function normsFromDifferences(
  plainLayer: PlainLayer,
  layer: tfl.layers.Layer,
  model: tfl.LayersModel,
  xs: tf.Tensor[],
  delta: tf.Tensor,
  n: number,
  outputs: ArrayLike<number>,
): Map<string, number> {
  const values = new Map(
    model.weights.map((weight): [string, Plain] => [
      weight.originalName,
      { shape: weight.shape as number[], data: Float64Array.from(weight.read().dataSync()) },
    ]),
  );
  const own = Object.fromEntries(
    layer.weights.map(({ originalName }) => [
      originalName.slice(originalName.lastIndexOf('/') + 1),
      values.get(originalName)!,
    ]),
  );
  const samples = xs.map((x): Plain => {
    const length = x.size / SAMPLES;
    return { shape: x.shape.slice(1), data: Float64Array.from(x.dataSync().subarray(n * length, (n + 1) * length)) };
  });
  const evaluate = () => {
    const trunk = samples.map((x, i): Plain => {
      const [gamma, beta] = ['gamma', 'beta'].map((name) => values.get(`below${i}/${name}`));
      if (!gamma || !beta) {
        return x;
      }
      const channels = gamma.data.length;
      const data = x.data.map((v, j) => (v / Math.sqrt(1.001)) * gamma.data[j % channels]! + beta.data[j % channels]!);
      return { shape: x.shape, data };
    });
    return plainLayer(trunk, own, layer).data;
  };
  const size = outputs.length / SAMPLES;
  const unmoved = evaluate();
  expect(unmoved.length).toBe(size);
  unmoved.forEach((y, i) => {
    expect(Math.abs(outputs[n * size + i]! - y)).toBeLessThan(1e-5 * Math.max(1, Math.abs(y)));
  });
  const deltas = delta.dataSync();
  const h = 1e-6;
  return new Map(
    model.trainableWeights.map(({ originalName }) => {
      const { data } = values.get(originalName)!;
      let square = 0;
      for (let i = 0; i < data.length; i++) {
        const value = data[i]!;
        data[i] = value + h;
        const above = evaluate();
        data[i] = value - h;
        const below = evaluate();
        data[i] = value;
        for (let r = 0; r < COLUMNS; r++) {
          let gradient = 0;
          for (let k = 0; k < size; k++) {
            gradient += deltas[(r * SAMPLES + n) * size + k]! * (above[k]! - below[k]!);
          }
          square += (gradient / (2 * h)) ** 2;
        }
      }
      return [originalName, square];
    }),
  );
}

/** Where tf.js takes the reference gradients: what the wasm backend has no kernel for. */
const noReferenceOnWasm = /conv1d channels first/i;
/** What tf.js has no forward kernel for on the native backend (on a CPU). */
const notOnNative = /conv3d dilated|category encoding/;

/** Layers with weights, called twice: the gradients of the calls add up before they are squared. */
const sharedCases = cases
  .filter(({ name }) =>
    [
      'dense on a sequence',
      'conv2d same, stride 2',
      'conv3d same, strides, relu',
      'conv2dTranspose same, strides, relu',
      'depthwiseConv2d same, stride, multiplier, relu',
      'separableConv2d same, stride, multiplier, relu',
      'layer normalization over other axes',
      'PReLU, shared',
      'PReLU',
      'embedding',
      'convolution at every time step',
      'LSTM',
    ].includes(name),
  )
  .map(
    (each): LayerCase => ({
      ...each,
      name: `${each.name}, called twice`,
      shapes: [each.shapes[0]!, each.shapes[0]!],
      plain: (inputs, weights, layer) => {
        const [first, second] = inputs.map((x) => each.plain!([x], weights, layer)) as [Plain, Plain];
        return { shape: first.shape, data: first.data.map((v, i) => v + second.data[i]!) };
      },
      twice: true,
    }),
  );

describe('deltas and squared gradient norms of each layer', () => {
  for (const each of [...cases, ...sharedCases]) {
    const { wasm } = layerTable[each.layer().getClassName()]!;
    const skipped =
      (tf.getBackend() === 'wasm' && !(wasm && (each.plain || !noReferenceOnWasm.test(each.name)))) ||
      (tf.getBackend() === 'tensorflow' && notOnNative.test(each.name));
    it.skipIf(skipped)(each.name, () => check(each));
  }

  it('are checked for every class that the table does not refuse', () => {
    const checked = new Set(cases.map(({ layer }) => layer().getClassName()));
    const answered = Object.entries(layerTable).filter(
      ([, { support }]) => support !== 'refused' && support !== 'unfolded',
    );
    expect(answered.map(([name]) => name).filter((name) => !checked.has(name))).toEqual(['CenterCrop']);
  });
});
