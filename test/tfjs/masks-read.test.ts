import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { masksReadBy } from '../../src/tfjs/masks-read.js';

const { layers } = tfl;

it('names the layers that were handed a mask and looked, and leaves the layers as they were', () => {
  const lstm = layers.lstm({ units: 2, recurrentInitializer: 'glorotNormal' }) as tfl.layers.Layer;
  const dense = layers.dense({ units: 2 });
  for (const maskZero of [true, false]) {
    const words = layers.embedding({ inputDim: 4, outputDim: 3, maskZero, inputShape: [3] });
    const model = tfl.sequential({ layers: [words, lstm, dense] });
    const read = masksReadBy([lstm, dense], () => {
      tf.tidy(() => {
        model.predict(tf.tensor2d([[1, 2, 0]]));
      });
    });
    expect([...read]).toEqual(maskZero ? [lstm] : []);
    expect([lstm, dense].some((layer) => Object.hasOwn(layer, 'call'))).toBe(false);
  }
});
