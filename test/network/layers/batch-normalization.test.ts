import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { unfold } from '../../../src/network/graph.js';
import { checkLayers, image, one, operationsOf, traitsOf } from './check-layers.js';
import * as plain from './plain-layers.js';

const { layers } = tfl;

/** A setting of `axis` that tf.js takes, and the shape of a sample. */
type Form = readonly [axis: unknown, shape: number[]];

/** Along the last axis. Keras 2 writes a list of one number. */
const forms: readonly Form[] = [
  [[3], [4, 3, 2]],
  [[2], [4, 3]],
  [[1], [5]],
  ['1', [5]],
  [3, [4, 3, 2]],
  [-1, [4, 3, 2]],
];

const otherAxes: readonly Form[] = [
  [1, [4, 3, 2]],
  [[1], [4, 3, 2]],
  [[2], [4, 3, 2]],
  [-2, [4, 3, 2]],
  [-3, [3, 3, 3]],
  [1, [4, 3]],
  [[1], [4, 4]],
  [-2, [3, 5]],
];

/** What tf.js computes there. */
const ofOtherAxis = ['cpu', 'wasm'].includes(tf.getBackend())
  ? plain.batchNormalizationByElement
  : plain.batchNormalization;

const normalization = (axis: unknown) => layers.batchNormalization({ axis: axis as number });

const onAxis = (axis: unknown, shape: number[], reference: plain.PlainLayer) =>
  one(`batch normalization with axis ${JSON.stringify(axis)} of [${shape}]`, () => normalization(axis), [shape], {
    plain: reference,
    alsoTwice: true,
  });

checkLayers({
  BatchNormalization: [
    one(
      'batch normalization',
      () => layers.batchNormalization({ gammaInitializer: 'randomNormal', movingMeanInitializer: 'randomNormal' }),
      image,
    ),
    ...forms.map(([axis, shape]) => onAxis(axis, shape, plain.batchNormalization)),
    ...otherAxes.map(([axis, shape]) => onAxis(axis, shape, ofOtherAxis)),
    one('batch normalization without scale', () => layers.batchNormalization({ scale: false }), [[5]], {
      plain: plain.batchNormalization,
    }),
    one('batch normalization without center', () => layers.batchNormalization({ center: false }), [[5]], {
      plain: plain.batchNormalization,
    }),
  ],
});

it('batch normalization has a kernel and a bias, and a mean that follows the scale of its input', () => {
  const layer = layers.batchNormalization({ name: 'bn' });
  const [operation, ...rest] = operationsOf(layer, [4]);
  expect(rest).toEqual([]);
  expect(operation!.parameters.map(({ name, role }) => [name, role])).toEqual([
    ['bn/gamma', 'kernel'],
    ['bn/beta', 'bias'],
  ]);
  expect(operation!.inputStatistics!.map((weight) => (weight as tfl.LayerVariable).originalName)).toEqual([
    'bn/moving_mean',
  ]);
  expect(traitsOf(layers.batchNormalization({ scale: false }), [4])).toEqual(['BatchNormalization, affine, bias']);
});

it('one along the batch axis is refused', () => {
  const input = tfl.input({ batchShape: [4, 3] });
  const output = normalization(0).apply(input) as tfl.SymbolicTensor;
  expect(() => unfold(tfl.model({ inputs: input, outputs: output }))).toThrow(
    /^Layer '[^']*' \(BatchNormalization\) works along axis 0, where the samples are, [^\n]*: give it another axis\.$/,
  );
});
