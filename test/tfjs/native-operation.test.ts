import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { isNative } from '../../src/tfjs/backend.js';
import { nativeOperation, nativeReduction } from '../../src/tfjs/native-operation.js';
import { expectClose } from './transpose.js';

it('runs operations that tf.js has no function for, and leaves their results only', () => {
  const x = tf.tensor2d([[3, 4], [-6, 8]]); // biome-ignore format: one line
  const before = tf.memory().numTensors;
  if (!isNative()) {
    expect(() => nativeReduction('EuclideanNorm', x, [1])).toThrow();
    expect(tf.memory().numTensors).toBe(before);
  } else {
    tf.tidy(() => {
      expectClose(nativeReduction('EuclideanNorm', x, [1]), tf.tensor1d([5, 10]));
      expectClose(nativeReduction('Mean', x, [0, 1], true), tf.tensor2d([[9 / 4]]));
      expectClose(nativeOperation('ReluGrad', [x, x]), tf.tensor2d([[3, 4], [0, 8]])); // biome-ignore format: one line
    });
    expect(tf.memory().numTensors).toBe(before);
  }
  x.dispose();
});
