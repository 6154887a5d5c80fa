import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { type Geometry, patches, patchInputs } from '../../../src/network/layers/patches.js';

const square = { kernelSize: [2, 3], strides: [1, 1], dilation: [1, 1], padding: 'valid' } as const;

/** Features in any order, the positions of each in their order. */
const sorted = (features: number[][]) => features.map((feature) => feature.join()).toSorted();

it.each<[string, number, Geometry]>([
  ['one channel', 1, square],
  ['several channels', 3, square],
  ['padding', 2, { ...square, padding: 'same' }],
  ['strides', 2, { ...square, strides: [2, 3] }],
  ['strides with padding', 2, { ...square, strides: [3, 2], padding: 'same' }],
  ['dilation', 2, { ...square, dilation: [3, 2] }],
  ['one tap', 3, { ...square, kernelSize: [1, 1] }],
  ['one tap with strides', 3, { ...square, kernelSize: [1, 1], strides: [2, 2] }],
])('patches by position and by feature are the same numbers: %s', (_, channels, geometry) => {
  const x = tf.randomUniform([2, 7, 8, channels], -1, 1, 'float32', 1);
  tf.tidy(() => {
    const { samples, positions, fanIn, byPosition, byFeature } = patchInputs(x, geometry);
    const rows = byPosition();
    expect(rows.shape).toEqual([samples, positions, fanIn]);
    expect(rows.arraySync()).toEqual(patches(x, geometry).arraySync());
    const joined = tf.concat(byFeature(), 1);
    expect(joined.shape[1]).toBe(fanIn);
    const features: tf.Tensor3D = tf.reshape(joined, [samples, fanIn, -1]);
    expect(features.shape).toEqual([samples, fanIn, positions]);
    const expected = tf.transpose(rows, [0, 2, 1]).arraySync() as number[][][];
    features.arraySync().forEach((sample, n) => {
      expect(sorted(sample)).toEqual(sorted(expected[n]));
    });
  });
  x.dispose();
});
