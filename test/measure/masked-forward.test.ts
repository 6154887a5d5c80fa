import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { measureSharpness } from '../../src/measure/measure-sharpness.js';
import { built, head, loss, name, through, tokens, words } from './padded-words.js';

const { layers } = tfl;
it('is refused in one line where tf.js hands a mask to a layer that has none', async () => {
  const x = tfl.input({ shape: [4] });
  const sentence = through(
    x,
    words(),
    layers.lstm({ recurrentInitializer: 'glorotNormal', units: 3, name: name('encoder') }),
  );
  const decoded = through(
    sentence,
    layers.repeatVector({ n: 4 }),
    layers.lstm({ recurrentInitializer: 'glorotNormal', units: 2, name: name('decoder') }),
    head(),
  );
  const data = tokens();
  const before = tf.memory().numTensors;
  await expect(measureSharpness(built(x, decoded), data, { loss })).rejects.toThrow(/a mask where none belongs/);
  expect(tf.memory().numTensors).toBe(before);
  data.dispose();
});
